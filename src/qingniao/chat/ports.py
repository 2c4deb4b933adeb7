"""What the domain asks of its stores. Engines: `storage/messages_rocksdb.py` (and PostgreSQL).

Rule: a port promises delivery, order and durability in its docstrings; engines keep them.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.protocol.frames import Entry

__all__ = ["MessageLog", "Role"]


class Role(StrEnum):
    """A worker that is owed work while a conversation carries its mark."""

    AI = "ai"
    ASSIGNMENT = "assignment"
    INDEX = "index"


class MessageLog(Protocol):
    """Every conversation's log and where it stands. The truth of the system."""

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """Decide and append, all or nothing, on disk before it returns; results in order.

        Entries of one conversation get consecutive `seq`s in the order of `intents`. Raises
        `StorageError` when nothing was stored. Not re-entrant: one call at a time.
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
        """Up to `limit` stored `entry` frames (MessagePack) with `seq` > `after`, ascending."""
        ...

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """The same, decoded."""
        ...

    def mark_read(self, conversation: int, *, agent: bool, seq: int) -> tuple[int, int] | None:
        """Somebody has seen everything up to `seq`. If that is news: how far (the visitor, the
        agents) have read now. Stored lazily: a crash may forget the last second of read marks,
        never an entry."""
        ...

    def marked(self, role: Role) -> list[int]:
        """Conversations that owe `role` work, also after a crash."""
        ...

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """`role` has dealt with each conversation up to `seq`; newer ones keep their mark."""
        ...

    async def flush_reads(self) -> None:
        """Store read marks that changed since the last call; called about once a second."""
        ...

    async def close(self) -> None:
        """Flush and let go of the files. Idempotent."""
        ...
