"""The knowledge base's entries as they were written.

Indexes for retrieval are built from here and may be thrown away. Rule: an entry's id decides, so
that importing the same file twice changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, lock, upsert
from qingniao.storage.models import knowledge
from qingniao.storage.rows import KnowledgeEntry
from qingniao.storage.versions import KNOWLEDGE, touch

__all__ = ["KnowledgeEntries", "put_within"]

_FIELDS = KnowledgeEntry.__struct_fields__
_ENTRY = [knowledge.c[name] for name in _FIELDS]
_BATCH = 100
"""Entries in one turn of the loop: one or two milliseconds."""


class KnowledgeEntries:
    """Questions and answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, entries: Sequence[KnowledgeEntry], now_ms: int) -> None:
        """Add or replace by id, all or nothing."""
        async with self._database.write() as connection:
            await put_within(connection, entries, now_ms)

    async def page(
        self, *, search: str = "", limit: int, offset: int
    ) -> tuple[list[KnowledgeEntry], int]:
        """Some entries by category and title, and how many there are in all."""
        query = select(*_ENTRY)
        count = select(func.count()).select_from(knowledge)
        if search:
            columns = (knowledge.c.title, knowledge.c.question, knowledge.c.answer)
            matches = or_(*(column.icontains(search, autoescape=True) for column in columns))
            query, count = query.where(matches), count.where(matches)
        query = query.order_by(knowledge.c.category, knowledge.c.title, knowledge.c.id)
        async with self._database.read() as connection:
            total = int(await connection.scalar(count) or 0)
            rows = await connection.execute(query.limit(limit).offset(offset))
            return [_entry(row) for row in rows], total

    async def all(self) -> list[KnowledgeEntry]:
        """Everything, by id: what training starts from."""
        entries: list[KnowledgeEntry] = []
        page = select(*_ENTRY).order_by(knowledge.c.id).limit(_BATCH)
        async with self._database.read() as connection:
            while True:
                after = entries[-1].id if entries else ""
                rows = await connection.execute(page.where(knowledge.c.id > after))
                found = [_entry(row) for row in rows]
                entries += found
                if len(found) < _BATCH:
                    return entries


async def put_within(
    connection: AsyncConnection, entries: Sequence[KnowledgeEntry], now_ms: int
) -> None:
    """`KnowledgeEntries.put` as a part of the caller's transaction."""
    await lock(connection, "knowledge")
    values = [msgspec.to_builtins(entry) | {"updated": now_ms} for entry in entries]
    statement = upsert(connection, knowledge)
    statement = statement.on_conflict_do_update(
        index_elements=[knowledge.c.id],
        set_={name: statement.excluded[name] for name in _FIELDS if name != "id"},
    )
    for start in range(0, len(values), _BATCH):
        await connection.execute(statement, values[start : start + _BATCH])
    await touch(connection, KNOWLEDGE)


def _entry(row: Row[Any]) -> KnowledgeEntry:
    fields = dict(zip(_FIELDS, row, strict=True))
    return KnowledgeEntry(**fields | {"alternatives": tuple(fields["alternatives"])})
