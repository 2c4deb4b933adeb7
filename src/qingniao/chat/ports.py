"""What the domain asks of its stores. Engines: `storage/messages_rocksdb.py` for one process,
`storage/messages_postgres.py` for many.

Rule: a port promises delivery, order and durability in its docstrings; engines keep them.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.chat.lifecycle import Status
from qingniao.metrics import Reading
from qingniao.protocol.frames import Entry

__all__ = ["MARKS_AT_ONCE", "MessageLog", "ReadMark", "Role", "owes"]


class Role(StrEnum):
    """A worker that is owed work while a conversation carries its mark."""

    AI = "ai"
    ASSIGNMENT = "assignment"
    INDEX = "index"


MARKS_AT_ONCE: Final = 500
"""Marks in one answer, when nobody says how many: a backlog is worked off in steps."""


class ReadMark(NamedTuple):
    """Somebody has seen everything up to `seq`: the visitor, or the agents."""

    conversation: int
    is_agent: bool
    seq: int


def owes(head: Head, role: Role) -> bool:
    """Does a conversation that stands there owe `role` work?"""
    if role is Role.AI:
        return head.owes_bot
    if role is Role.ASSIGNMENT:
        return head.status is Status.WAITING
    return True


class MessageLog(Protocol):
    """Every conversation's log and where it stands. The truth of the system.

    Several processes may have it open at once, if the engine says so. Everything that waits may
    raise `StorageError`, and does so within a bounded time.
    """

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """Decide and append, all or nothing, on disk before it returns; results in order.

        Entries of one conversation get consecutive `seq`s in the order of `intents`, and no other
        process's come between a decision and its entries. Raises `StorageError` when nothing was
        stored or it is not known whether: who sends again is told the truth. Not re-entrant: one
        call at a time.
        """
        ...

    async def head(self, conversation: int) -> Head | None:
        """Where it stands, or `None` if nothing was ever said. Do not change it."""
        ...

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """Many at once; unknown ones are left out."""
        ...

    async def sent(self, conversation: int, device: str) -> int:
        """The highest `n` stored for a device (`sender/device`); 0 for none. Never forgotten."""
        ...

    async def read(self, conversation: int, after: int, limit: int) -> list[bytes]:
        """Up to `limit` stored `entry` frames (MessagePack) with `seq` > `after`, ascending and
        without a gap. What retention has dropped comes as `hidden` entries without time or body."""
        ...

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """The same, decoded."""
        ...

    async def advanced(self, known: Mapping[int, int]) -> dict[int, int]:
        """Which of these conversations have entries after the `seq` that is known of them, and
        their last. Cheap: for whoever missed what the bus should have told."""
        ...

    async def mark_read(self, marks: Sequence[ReadMark]) -> dict[int, tuple[int, int]]:
        """Of the conversations for which one of these is news: how far (the visitor, the agents)
        have read now. Stored lazily: a crash may forget the last second of read marks, never an
        entry."""
        ...

    async def marked(self, role: Role, after: int = 0, limit: int = MARKS_AT_ONCE) -> list[int]:
        """Up to `limit` conversations above `after` that owe `role` work, ascending. Survives a
        crash."""
        ...

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """`role` has dealt with each conversation up to `seq`; newer ones keep their mark."""
        ...

    async def flush_reads(self) -> None:
        """Store read marks that changed since the last call; called about once a second. Raises
        `StorageError` while the log cannot be written: this is how that is noticed."""
        ...

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        ...

    async def close(self) -> None:
        """Flush and let go of the files. Idempotent."""
        ...
