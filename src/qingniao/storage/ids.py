"""Numbers that are never given twice, and how far each projection has come.

Rule: a range of numbers is on disk before the first of it is used. What a crash leaves of a range
is skipped: gaps do no harm.
"""

import asyncio
from typing import Final

from sqlalchemy import select

from qingniao.storage.database import Database, upsert
from qingniao.storage.models import counters, cursors

__all__ = ["Cursors", "IdRange", "Ids"]

FIRST: Final = 1001
"""Where a counter starts: low enough to read aloud, high enough not to be mistaken for a rank."""


class Ids:
    """Durable counters by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, name: str, count: int) -> int:
        """Take `count` consecutive numbers; the answer is the first of them."""
        if count < 1:
            raise ValueError("count must be at least 1")
        async with self._database.write() as connection:
            # One statement: of several processes each gets numbers of its own.
            statement = upsert(connection, counters).values(name=name, next=FIRST + count)
            statement = statement.on_conflict_do_update(
                index_elements=[counters.c.name], set_={"next": counters.c.next + count}
            )
            after = await connection.scalar(statement.returning(counters.c.next))
            assert after is not None  # noqa: S101  the statement always has a row
            return int(after) - count


class IdRange:
    """Hands out one counter's numbers from memory, a range at a time."""

    def __init__(self, ids: Ids, name: str, *, size: int = 500) -> None:
        if size < 1:
            raise ValueError("size must be at least 1")
        self._ids = ids
        self._name = name
        self._size = size
        self._next = self._end = 0
        self._refill = asyncio.Lock()

    async def take(self) -> int:
        """The next number. Waits for the disk once every `size` calls."""
        while self._next >= self._end:
            async with self._refill:
                # Whoever waited for the lock finds the range that the first one fetched.
                if self._next >= self._end:
                    first = await self._ids.reserve(self._name, self._size)
                    self._next, self._end = first, first + self._size
        number = self._next
        self._next += 1
        return number


class Cursors:
    """Up to where a projection has read its source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> int:
        """The position stored last; 0 if there is none."""
        async with self._database.read() as connection:
            query = select(cursors.c.position).where(cursors.c.name == name)
            return int(await connection.scalar(query) or 0)

    async def put(self, name: str, position: int) -> None:
        """Store the position; on disk when this returns."""
        async with self._database.write() as connection:
            statement = upsert(connection, cursors)
            statement = statement.on_conflict_do_update(
                index_elements=[cursors.c.name],
                set_={"position": statement.excluded.position},
            )
            await connection.execute(statement, {"name": name, "position": position})
