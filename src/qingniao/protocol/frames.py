"""The frames of wire version 1 as data. Owns their order and defaults; refuses any meaning.

Rule: a frame is an array `[kind, field, …]`; fields are only ever appended, with a default, and
nothing is renumbered (`docs/reference/protocol.md`, section 3).
"""

from enum import IntEnum
from typing import Any, Final

from msgspec import Struct

__all__ = [
    "MAX_INT",
    "Ack",
    "Body",
    "Busy",
    "Bye",
    "Delta",
    "DownFrame",
    "Entry",
    "EntryType",
    "Error",
    "Follow",
    "Hello",
    "History",
    "Limits",
    "Page",
    "Ping",
    "Pong",
    "Read",
    "Send",
    "State",
    "Typing",
    "Unfollow",
    "UpFrame",
    "Welcome",
]

MAX_INT: Final = 2**53 - 1
"""Largest integer a JavaScript client can hold exactly; every number on the wire stays below it."""


Body = str | dict[str, Any] | None
"""What an entry says: a string for `text` and `note`, a map for the rest, `None` when hidden."""


class EntryType(IntEnum):
    """What an entry of a conversation's log is; the numbers are the wire's."""

    HIDDEN = 0
    TEXT = 1
    FILE = 2
    ANSWER = 3
    STATUS = 4
    SUMMARY = 5
    NOTE = 6
    RATING = 7
    STEP = 8
    ACTION = 9


class _Frame(Struct, array_like=True, tag_field="kind", frozen=True, gc=False):
    """Base of frames without containers that could form cycles."""


class Hello(_Frame, frozen=True, tag=1):
    """Up: who I am, and from which `seq` on I want each conversation."""

    token: str
    device: str
    cursors: list[tuple[int, int]] = []
    about: dict[str, str] = {}


class Follow(_Frame, frozen=True, tag=2):
    """Up: start receiving a conversation, from the entry after `after`."""

    conversation: int
    after: int = 0


class Unfollow(_Frame, frozen=True, tag=3):
    """Up: stop receiving a conversation."""

    conversation: int


class Send(_Frame, frozen=True, tag=4):
    """Up: the `n`-th message of this device to this conversation."""

    conversation: int
    n: int
    type: int
    body: Body


class Read(_Frame, frozen=True, tag=5):
    """Up: everything up to `seq` has been seen."""

    conversation: int
    seq: int


class Typing(_Frame, frozen=True, tag=6):
    """Both: somebody is writing. Never stored, dropped first under load."""

    conversation: int
    on: bool
    preview: str = ""
    sender: str = ""


class History(_Frame, frozen=True, tag=7):
    """Up: a page of entries before `before`; answered by `Page`."""

    conversation: int
    before: int
    limit: int = 50


class Ping(_Frame, frozen=True, tag=9):
    """Both: are you there?"""

    number: int


class Pong(_Frame, frozen=True, tag=10):
    """Both: I am. `entries` (down) counts the entry frames sent on this connection."""

    number: int
    entries: int = 0


class Limits(Struct, frozen=True, kw_only=True):
    """What a connection may do; every one is enforced with a clear error. Sent as a map."""

    frame_bytes: int = 65_536
    body_chars: int = 4_000
    credit: int = 32
    rate: float = 10.0
    follows: int = 512
    beat_ms: int = 45_000
    hello_ms: int = 10_000
    replay: int = 100
    file_bytes: int = 20_971_520


class Welcome(_Frame, frozen=True, tag=32):
    """Down: accepted; what you may send, and where your conversations stand."""

    session: str
    time: int
    limits: Limits
    conversations: list[tuple[int, dict[str, Any]]]


class Ack(_Frame, frozen=True, tag=33):
    """Down: everything up to `n` is on disk, in order, once. `at` is ms after `Welcome.time`."""

    conversation: int
    n: int
    seq: int
    at: int


class Busy(_Frame, frozen=True, tag=34):
    """Down: not taken, nothing stored; send the same `n` again after `retry_after_ms`."""

    conversation: int
    n: int
    retry_after_ms: int


class Entry(_Frame, frozen=True, tag=35):
    """Down: one entry of a conversation's log. Also the form in which it is stored."""

    conversation: int
    seq: int
    time: int
    sender: str
    type: int
    body: Body


class Delta(_Frame, frozen=True, tag=36):
    """Down: a piece of an answer being written; `offset` in characters."""

    conversation: int
    draft: int
    offset: int
    text: str


class State(_Frame, frozen=True, tag=37):
    """Down: fields of a conversation that changed; see "State fields" in the reference."""

    conversation: int
    fields: dict[str, Any]


class Page(_Frame, frozen=True, tag=38):
    """Down: the answer to `History`, ascending; `more` says whether older ones exist."""

    conversation: int
    entries: list[Entry]
    more: bool


class Error(_Frame, frozen=True, tag=39):
    """Down: this request failed. `expected` is the `n` wanted after a hole."""

    conversation: int
    n: int
    code: int
    text: str
    temporary: bool
    expected: int = 0


class Bye(_Frame, frozen=True, tag=40):
    """Down: closing; the code's range says whether to come back."""

    code: int
    text: str
    retry_after_ms: int = 0


UpFrame = Hello | Follow | Unfollow | Send | Read | Typing | History | Ping | Pong
DownFrame = Welcome | Ack | Busy | Entry | Delta | State | Page | Error | Bye | Typing | Ping | Pong
