"""The index of conversations: who has what, what waits, what was said last.

A projection of the message log for lists and searches; losing it costs a rebuild, never a message.
Rule: a row never goes back to an older `last`, and what happened up to it is counted in the
transaction that moves it there, by whichever process is first.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Row, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, among, upsert
from qingniao.storage.models import conversations
from qingniao.storage.rollups import Rollup, add_within
from qingniao.storage.rows import Counts, IndexPage, IndexRow, View
from qingniao.storage.visitors import Visitors

__all__ = ["ConversationIndex", "Counted"]

TIES_MAX: Final = 200
"""How far a page may exceed its limit to finish the millisecond it would end in."""

_FIELDS: Final = IndexRow.__struct_fields__
_ROW: Final = [conversations.c[name] for name in _FIELDS]


_READ_MARKS: Final = ("read_visitor", "read_agent")


class Counted(Struct, frozen=True):
    """What happened in one conversation between `after` and its row's `last`."""

    conversation: int
    after: int
    amounts: tuple[Rollup, ...] = ()


class ConversationIndex:
    """Lists and searches over all conversations."""

    def __init__(self, database: Database, visitors: Visitors) -> None:
        self._database = database
        self._visitors = visitors

    async def project(self, rows: Sequence[IndexRow], counted: Sequence[Counted] = ()) -> list[int]:
        """Bring many rows up to date, and their visitors on record, in one transaction.

        What was `counted` is added in the same transaction, and only from exactly where the stored
        row is: it is added once, whatever crashes and however many processes do the same. The
        answer are the conversations that somebody else has brought on part of the way: nothing of
        them was done, count them again.
        """
        if not rows:
            return []
        # In one order: two who write the same rows must not wait for each other crosswise.
        rows = sorted(rows, key=lambda row: row.id)
        async with self._database.write() as connection:
            stored = await self._held(connection, rows)
            last = {row.id: row.last for row in rows}
            split = [
                one.conversation
                for one in counted
                if one.after != stored.get(one.conversation, 0) < last[one.conversation]
            ]
            taken = [row for row in rows if row.id not in split]
            if taken:
                await _put(connection, taken)
            arrivals = await self._visitors.record(connection, taken)
            amounts = [
                amount
                for one in counted
                if one.after == stored.get(one.conversation, 0)
                for amount in one.amounts
            ]
            await add_within(connection, amounts)
        for arrival in arrivals:
            self._visitors.arrivals.recorded(arrival)
        return split

    async def page(
        self, view: View, *, user: int, search: str = "", before: int | None = None, limit: int
    ) -> IndexPage:
        """A piece of a view: newest first, for `waiting` the longest wait first.

        `before` is the `time` (`waiting`: the `since`) of the last row of the piece before. A
        piece never ends between two rows of the same millisecond: it would lose the second one.
        """
        key = conversations.c.since if view == "waiting" else conversations.c.time
        query = select(*_ROW).where(*_conditions(view, user))
        if search:
            query = query.where(_matches(search))
        if before is not None:
            query = query.where(key > before if view == "waiting" else key < before)
        order = (key, conversations.c.id) if view == "waiting" else (key.desc(), conversations.c.id)
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(*order).limit(limit + 1))
            rows = [_row(row) for row in found]
            more = len(rows) > limit
            if more and _key(view, rows[-1]) == _key(view, rows[-2]):
                edge = _key(view, rows[-1])
                rows = [row for row in rows if _key(view, row) != edge]
                ties = query.where(key == edge).order_by(conversations.c.id).limit(TIES_MAX)
                rows += [_row(row) for row in await connection.execute(ties)]
                beyond = key > edge if view == "waiting" else key < edge
                rest = query.where(beyond).limit(1)
                more = (await connection.execute(rest)).first() is not None
            elif more:
                rows.pop()
        return IndexPage(tuple(rows), more)

    async def counts(self, user: int) -> Counts:
        """How many rows each view has, without a search."""
        async with self._database.read() as connection:

            async def count(view: View) -> int:
                query = select(func.count()).select_from(conversations)
                return int(await connection.scalar(query.where(*_conditions(view, user))) or 0)

            return Counts(
                mine=await count("mine"), waiting=await count("waiting"), all=await count("all")
            )

    async def lasts(self, ids: Sequence[int]) -> dict[int, int]:
        """Up to which `seq` each of these conversations has been projected."""
        query = select(conversations.c.id, conversations.c.last)
        async with self._database.read() as connection:
            found = await connection.execute(
                query.where(among(connection, conversations.c.id, list(ids)))
            )
            return {int(row[0]): int(row[1]) for row in found}

    async def assigned(self) -> dict[int, int]:
        """Open conversations and the agent of each."""
        query = select(conversations.c.id, conversations.c.assignee).where(
            conversations.c.status == "open"
        )
        async with self._database.read() as connection:
            return {int(row[0]): int(row[1]) for row in await connection.execute(query)}

    async def get(self, conversation: int) -> IndexRow | None:
        """One row, if the conversation has been projected."""
        async with self._database.read() as connection:
            query = select(*_ROW).where(conversations.c.id == conversation)
            row = (await connection.execute(query)).first()
        return _row(row) if row else None

    async def _held(self, connection: AsyncConnection, rows: Sequence[IndexRow]) -> dict[int, int]:
        """Up to which `seq` each is stored; from here on nobody else changes these rows."""
        ids = [row.id for row in rows]
        query = (
            select(conversations.c.id, conversations.c.last)
            .where(among(connection, conversations.c.id, ids))
            .order_by(conversations.c.id)
            .with_for_update()
        )
        stored = {int(row[0]): int(row[1]) for row in await connection.execute(query)}
        if self._database.is_shared and len(stored) < len(ids):
            # A row that is not there cannot be held: make it, and look again who was first.
            blank = [
                msgspec.structs.asdict(msgspec.structs.replace(row, last=0, time=0))
                for row in rows
                if row.id not in stored
            ]
            statement = upsert(connection, conversations).on_conflict_do_nothing()
            await connection.execute(statement, blank)
            stored = {int(row[0]): int(row[1]) for row in await connection.execute(query)}
        return stored


async def _put(connection: AsyncConnection, rows: Sequence[IndexRow]) -> None:
    statement = upsert(connection, conversations)
    new = statement.excluded
    changed: dict[str, Any] = {name: new[name] for name in _FIELDS if name != "id"}
    for name in _READ_MARKS:
        held = conversations.c[name]
        changed[name] = case((new[name] > held, new[name]), else_=held)
    statement = statement.on_conflict_do_update(
        index_elements=[conversations.c.id],
        set_=changed,
        where=new.last >= conversations.c.last,
    )
    await connection.execute(statement, [msgspec.structs.asdict(row) for row in rows])


def _conditions(view: View, user: int) -> list[ColumnElement[bool]]:
    match view:
        case "mine":
            return [conversations.c.assignee == user, conversations.c.status == "open"]
        case "waiting":
            return [conversations.c.status == "waiting"]
        case "all":
            return [conversations.c.time > 0]


def _matches(search: str) -> ColumnElement[bool]:
    return or_(
        conversations.c.preview.icontains(search, autoescape=True),
        conversations.c.visitor_name.icontains(search, autoescape=True),
    )


def _key(view: View, row: IndexRow) -> int:
    return row.since if view == "waiting" else row.time


def _row(row: Row[Any]) -> IndexRow:
    return IndexRow(**dict(zip(_FIELDS, row, strict=True)))
