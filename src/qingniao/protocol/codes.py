"""Every number that tells a client what went wrong. Rule: ranges mean something.

Close codes 3000–3499 ask the client to come back, 3500–3999 to stop. Documented one by one in
`docs/reference/protocol.md`, sections 8 and 9; a test compares the two.
"""

from enum import IntEnum

__all__ = ["TEMPORARY", "Close", "Code", "comes_back"]


class Close(IntEnum):
    """WebSocket close codes of ours."""

    SHUTDOWN = 3000
    MOVED = 3001
    OVERLOADED = 3002
    SLOW = 3008
    SILENT = 3009
    REPLACED = 3010
    STORAGE = 3011
    BAD_TOKEN = 3500
    BANNED = 3501
    NO_HELLO = 3502
    VERSION = 3503
    MALFORMED = 3504
    TOO_LARGE = 3505
    FLOODING = 3506
    SIGNED_OUT = 3507


class Code(IntEnum):
    """Codes of `error` frames: the request failed, the connection lives on."""

    INTERNAL = 100
    STORAGE_FULL = 101
    BAD_FRAME = 110
    NOT_YOURS = 111
    BAD_BODY = 112
    HOLE = 113
    NOT_ALLOWED = 114
    NOT_NOW = 115
    OWNED = 116
    TOO_MANY = 117
    OUT_OF_ORDER = 118


TEMPORARY = frozenset({Code.INTERNAL, Code.STORAGE_FULL})
"""Codes after which sending the same thing again can succeed."""


def comes_back(close: int) -> bool:
    """Should a client reconnect after this close code? True for 3000–3499 and all foreign codes."""
    return not 3500 <= close <= 3999
