"""Server-side WebSocket framing (RFC 6455, section 5.2): whole, unmasked data messages only.

Rule: one table look-up for what most messages are, shorter than 126 bytes.
"""

import struct
from typing import Final

__all__ = ["framed"]

_SHORT: Final = 126
_FIN_TEXT: Final = 0x81
_FIN_BINARY: Final = 0x82
_TEXT_HEADS: Final = tuple(bytes((_FIN_TEXT, size)) for size in range(_SHORT))
_BINARY_HEADS: Final = tuple(bytes((_FIN_BINARY, size)) for size in range(_SHORT))
_MEDIUM: Final = struct.Struct(">BBH")
_LONG: Final = struct.Struct(">BBQ")


def framed(data: bytes, *, is_binary: bool) -> bytes:
    """The message with its head, ready for the socket."""
    size = len(data)
    if size < _SHORT:
        return (_BINARY_HEADS if is_binary else _TEXT_HEADS)[size] + data
    first = _FIN_BINARY if is_binary else _FIN_TEXT
    if size < 1 << 16:
        return _MEDIUM.pack(first, 126, size) + data
    return _LONG.pack(first, 127, size) + data
