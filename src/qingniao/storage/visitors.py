"""Visitors: those on record, and those who have only opened a page.

In one process an opened page costs no disk write: `Arrivals` remembers it in memory (bounded,
`drop_oldest`). Where several processes share the database, who hears of a page is not who needs to
know it, so arrivals are written to a table of their own and kept for a day (`arrivals.py`). Either
way the visitor's row is written when the conversation is projected for the first time or an agent
writes something down. Rule: what is forgotten is only the page somebody stood on without a word;
a token carries all that is needed to come in, with any process.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.arrivals import WrittenArrivals
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

    def oldest(self, limit: int) -> list[Arrival]:
        """Up to `limit` of them, the longest silent first."""
        return list(islice(self._recent.values(), limit))

    def recorded(self, arrival: Arrival) -> None:
        """It is on disk now. A newer arrival of the same visitor stays."""
        if self._recent.get(arrival.visitor) is arrival:
            del self._recent[arrival.visitor]


class Visitors:
    """The visitors on record, completed by where they were seen since."""

    def __init__(self, database: Database, arrivals: Arrivals) -> None:
        self._database = database
        self.arrivals = arrivals
        self._written = WrittenArrivals(database) if database.is_shared else None

    async def arrived(self, arrival: Arrival) -> None:
        """A page was opened. When this returns, every process can know it; or the database is
        slow, and will know it with the next arrival. Never raises."""
        self.arrivals.note(arrival)
        if self._written is not None:
            await self._written.settle(arrival, self.arrivals)

    async def get(self, visitor: str) -> Visitor | None:
        """Somebody on record or remembered; `None` for anybody else."""
        async with self._database.read() as connection:
            found = await _stored(connection, visitor)
            arrival = (await self._seen(connection, [visitor])).get(visitor)
        if arrival is None:
            return found
        return _arrived(found or _newcomer(arrival), arrival)

    async def change(
        self, visitor: str, changes: Mapping[str, Any], *, conversation: int, now_ms: int
    ) -> Visitor:
        """Write down what is given (fields of `Visitor`), making the row if there is none."""
        unseen = Arrival(visitor=visitor, conversation=conversation, at=now_ms)
        async with self._database.write() as connection:
            seen = await self._seen(connection, [visitor])
            await _insert(connection, [_newcomer(seen.get(visitor, unseen))])
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
        seen = await self._seen(connection, [row.visitor for row in rows])
        # In one order: two who write the same rows must not wait for each other crosswise.
        arrivals = [seen[visitor] for visitor in sorted(seen)]
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
            if row.visitor and row.visitor not in seen
        ]
        if newcomers:
            await _insert(connection, sorted(newcomers, key=lambda visitor: visitor.id))
        if arrivals:
            await connection.execute(_SEEN_AGAIN, [_parameters(one) for one in arrivals])
            if self._written is not None:
                await self._written.forget(connection, arrivals)
        return arrivals

    async def _seen(
        self, connection: AsyncConnection, names: Sequence[str]
    ) -> Mapping[str, Arrival]:
        """Where these were seen last, if it is not in their rows yet."""
        if self._written is not None:
            return await self._written.of(connection, names)
        return {name: found for name in names if (found := self.arrivals.get(name))}


_SEEN_AGAIN: Final = (
    update(visitors)
    .where(visitors.c.id == bindparam("visitor"))
    .values(
        {
            "last_seen": bindparam("at"),
            # What was not told this time stays as it was.
            **{
                name: func.coalesce(
                    func.nullif(bindparam(f"new_{name}", type_=visitors.c[name].type), ""),
                    visitors.c[name],
                )
                for name in _FROM_PAGE
            },
        }
    )
)
"""One statement for all: a day has a hundred thousand arrivals."""


def _parameters(arrival: Arrival) -> dict[str, Any]:
    told = {f"new_{name}": getattr(arrival, name) for name in _FROM_PAGE}
    return {"visitor": arrival.visitor, "at": arrival.at} | told


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
