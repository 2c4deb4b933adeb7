"""Visitors: those on record, and those who have only opened a page.

An opened page costs no disk write. `Arrivals` remembers it in memory (bounded, `drop_oldest`); the
row is written when the visitor's conversation is projected for the first time or an agent writes
something down. Rule: what a restart or an overflow forgets is only the page somebody stood on
without a word; their token stays valid.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, upsert
from qingniao.storage.models import visitors
from qingniao.storage.rows import Arrival, IndexRow, Visitor

__all__ = ["Arrivals", "Visitors"]

_VISITOR: Final = [visitors.c[name] for name in Visitor.__struct_fields__]
_FROM_PAGE: Final = ("locale", "page", "title", "referrer", "browser")


class Arrivals:
    """The last page opened by each recent visitor."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._recent: OrderedDict[str, Arrival] = OrderedDict()

    def note(self, arrival: Arrival) -> None:
        """Remember it; the visitor silent for longest is forgotten beyond the capacity."""
        self._recent[arrival.visitor] = arrival
        self._recent.move_to_end(arrival.visitor)
        if len(self._recent) > self._capacity:
            self._recent.popitem(last=False)

    def get(self, visitor: str) -> Arrival | None:
        """What is remembered and not yet on record."""
        return self._recent.get(visitor)

    def recorded(self, arrival: Arrival) -> None:
        """It is on disk now. A newer arrival of the same visitor stays."""
        if self._recent.get(arrival.visitor) is arrival:
            del self._recent[arrival.visitor]


class Visitors:
    """The visitors on record, completed by what `Arrivals` still remembers."""

    def __init__(self, database: Database, arrivals: Arrivals) -> None:
        self._database = database
        self.arrivals = arrivals

    async def get(self, visitor: str) -> Visitor | None:
        """Somebody on record or remembered; `None` for anybody else."""
        async with self._database.read() as connection:
            found = await _stored(connection, visitor)
        arrival = self.arrivals.get(visitor)
        if arrival is None:
            return found
        return _arrived(found or _newcomer(arrival), arrival)

    async def change(
        self, visitor: str, changes: Mapping[str, Any], *, conversation: int, now_ms: int
    ) -> Visitor:
        """Write down what is given (fields of `Visitor`), making the row if there is none."""
        arrival = self.arrivals.get(visitor) or Arrival(
            visitor=visitor, conversation=conversation, at=now_ms
        )
        async with self._database.write() as connection:
            await _insert(connection, [_newcomer(arrival)])
            if changes:
                values = dict(changes)
                if "tags" in values:
                    values["tags"] = list(values["tags"])
                await connection.execute(
                    update(visitors).where(visitors.c.id == visitor).values(values)
                )
            changed = await _stored(connection, visitor)
        assert changed is not None  # noqa: S101  inserted above, in the same transaction
        return changed

    async def record(self, connection: AsyncConnection, rows: Sequence[IndexRow]) -> list[Arrival]:
        """Within a projection's transaction: put the conversations' visitors on record.

        The answer goes to `arrivals.recorded`, each, once the transaction is committed.
        """
        arrivals = [found for row in rows if (found := self.arrivals.get(row.visitor))]
        known = {arrival.visitor for arrival in arrivals}
        newcomers = [_newcomer(arrival) for arrival in arrivals]
        newcomers += [
            Visitor(
                id=row.visitor,
                conversation=row.id,
                name=row.visitor_name,
                first_seen=row.time,
                last_seen=row.time,
            )
            for row in rows
            if row.visitor and row.visitor not in known
        ]
        if newcomers:
            await _insert(connection, newcomers)
        for arrival in arrivals:
            values = {name: text for name in _FROM_PAGE if (text := getattr(arrival, name))}
            await connection.execute(
                update(visitors)
                .where(visitors.c.id == arrival.visitor)
                .values(values | {"last_seen": arrival.at})
            )
        return arrivals


async def _stored(connection: AsyncConnection, visitor: str) -> Visitor | None:
    row = (await connection.execute(select(*_VISITOR).where(visitors.c.id == visitor))).first()
    return _visitor(row) if row else None


async def _insert(connection: AsyncConnection, newcomers: Sequence[Visitor]) -> None:
    statement = upsert(connection, visitors).on_conflict_do_nothing()
    values = [msgspec.to_builtins(visitor) for visitor in newcomers]
    await connection.execute(statement, values)


def _newcomer(arrival: Arrival) -> Visitor:
    return Visitor(
        id=arrival.visitor,
        conversation=arrival.conversation,
        locale=arrival.locale,
        page=arrival.page,
        title=arrival.title,
        referrer=arrival.referrer,
        browser=arrival.browser,
        first_seen=arrival.at,
        last_seen=arrival.at,
    )


def _arrived(visitor: Visitor, arrival: Arrival) -> Visitor:
    fields = {name: text for name in _FROM_PAGE if (text := getattr(arrival, name))}
    return msgspec.structs.replace(visitor, last_seen=arrival.at, **fields)


def _visitor(row: Row[Any]) -> Visitor:
    fields = dict(zip(Visitor.__struct_fields__, row, strict=True))
    return Visitor(**fields | {"tags": tuple(fields["tags"])})
