"""Bytes to frames and back, in both encodings. Rule: bad bytes raise `Malformed` or `BadFields`.

A known kind with wrong fields is the sender's mistake in one frame (`BadFields`: answer an error);
anything that is not a frame at all means that the sides do not speak the same protocol
(`Malformed`: close). Unknown kinds decode to `None` and are ignored, so that old servers
survive new clients.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from qingniao.protocol.frames import DownFrame, Entry, UpFrame

__all__ = ["JSON", "MSGPACK", "SUBPROTOCOLS", "BadFields", "Codec", "Malformed"]

_UP_KINDS: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10})
_DOWN_KINDS: Final = frozenset({6, 9, 10, *range(32, 41)})

F = TypeVar("F")


class Malformed(ValueError):
    """The message is not a frame of this protocol."""


class BadFields(ValueError):
    """A frame of a known kind has a field of the wrong type or range; the text says which."""


class Direction(Generic[F]):
    """Decodes the frames of one direction."""

    __slots__ = ("_any", "_kinds", "_typed")

    def __init__(
        self, typed: Callable[[bytes], F], untyped: Callable[[bytes], Any], kinds: frozenset[int]
    ) -> None:
        self._typed = typed
        self._any = untyped
        self._kinds = kinds

    def __call__(self, data: bytes) -> F | None:
        """The frame in `data`, or `None` for a kind from the future."""
        try:
            return self._typed(data)
        except msgspec.ValidationError as exc:
            self._explain(data, exc)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Malformed("The message cannot be decoded.") from exc

    def _explain(self, data: bytes, exc: msgspec.ValidationError) -> None:
        try:
            raw = self._any(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Malformed("The message cannot be decoded.") from exc
        if not isinstance(raw, list) or not raw or type(raw[0]) is not int:
            raise Malformed("A frame is an array that starts with its kind.") from exc
        if raw[0] in self._kinds:
            raise BadFields(f"Frame {raw[0]}: {exc}") from exc


class Codec:
    """One encoding of the wire. Stateless; share the two instances below.

    `encode` makes the bytes of any frame; `up` and `down` decode what a client or a server
    sent; `from_stored` turns a stored entry frame (always MessagePack) into this encoding.
    """

    __slots__ = ("down", "encode", "from_stored", "is_binary", "name", "up")

    def __init__(self, name: str, module: Any, *, is_binary: bool) -> None:
        self.name = name
        self.is_binary = is_binary
        self.encode: Callable[[Any], bytes] = module.Encoder().encode
        untyped = module.Decoder().decode
        self.up: Direction[UpFrame] = Direction(module.Decoder(UpFrame).decode, untyped, _UP_KINDS)
        self.down: Direction[DownFrame] = Direction(
            module.Decoder(DownFrame).decode, untyped, _DOWN_KINDS
        )
        stored = msgspec.msgpack.Decoder(Entry).decode
        self.from_stored: Callable[[bytes], bytes] = (
            (lambda data: data) if is_binary else (lambda data: self.encode(stored(data)))
        )


MSGPACK: Final = Codec("qingniao.1", msgspec.msgpack, is_binary=True)
JSON: Final = Codec("qingniao.1.json", msgspec.json, is_binary=False)
SUBPROTOCOLS: Final = {codec.name: codec for codec in (MSGPACK, JSON)}
