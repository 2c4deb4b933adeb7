"""What the frames of a WebSocket add up to (RFC 6455, sections 5.4 to 8.1), without a socket.

Owns one message that comes in fragments, and what may stand in a close frame; refuses to know a
connection. Rule: an `Assembly` exists only while a fragmented message is under way, and nothing it
is given makes it larger than the limit.
"""

from typing import Final, NamedTuple

from qingniao.protocol.codes import Close

__all__ = [
    "BAD_UTF8",
    "INVALID_TEXT",
    "NESTED",
    "NOTHING_TO_CONTINUE",
    "PROTOCOL_ERROR",
    "RESERVED_BIT",
    "Assembly",
    "Fault",
    "answer_to_close",
    "is_utf8",
    "reason",
]

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
INVALID_TEXT: Final = 1007
_FRAGMENTS: Final = 4_096
"""Pieces of one message: empty ones add nothing to its size and would never come to an end."""
_REASON_BYTES: Final = 123
"""A control frame holds 125 bytes, two of which are the code."""
# 1004 to 1006 and 1015 stand for things that are never sent; the rest below 3000 belongs to the
# IANA registry, in which these are.
_REGISTERED: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_PRIVATE: Final = range(3000, 5000)


class Fault(NamedTuple):
    """Why a connection has to be closed: the code and a sentence."""

    code: int
    text: str


RESERVED_BIT: Final = Fault(PROTOCOL_ERROR, "A reserved bit is set; no extension was agreed on.")
NESTED: Final = Fault(PROTOCOL_ERROR, "A message began inside another.")
NOTHING_TO_CONTINUE: Final = Fault(PROTOCOL_ERROR, "A continuation of nothing.")
BAD_UTF8: Final = Fault(INVALID_TEXT, "A text message is not UTF-8.")


class Assembly:
    """One message in fragments."""

    __slots__ = ("_count", "_parts", "is_text")

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self._parts = bytearray()
        self._count = 0

    def add(self, payload: bytes, limit_bytes: int) -> Fault | None:
        """The next fragment; a fault when it is one too many."""
        self._count += 1
        if len(self._parts) + len(payload) > limit_bytes:
            return Fault(Close.TOO_LARGE, f"A message is larger than {limit_bytes} bytes.")
        if self._count > _FRAGMENTS:
            return Fault(Close.TOO_LARGE, f"A message has more than {_FRAGMENTS} fragments.")
        self._parts += payload
        return None

    def message(self) -> bytes:
        """Everything that was added."""
        return bytes(self._parts)


def is_utf8(data: bytes) -> bool:
    """Is it text? Overlong forms and surrogates are not."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def answer_to_close(payload: bytes) -> int:
    """The code that answers a close frame with this payload: its own when it may be sent, 1000 when
    it has none, else what is wrong with it."""
    if not payload:
        return NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _REGISTERED or code in _PRIVATE):
        return PROTOCOL_ERROR
    return code if is_utf8(payload[2:]) else INVALID_TEXT


def reason(text: str) -> str:
    """As much of it as a close frame holds, cut between characters."""
    return text.encode()[:_REASON_BYTES].decode(errors="ignore")
