"""Arrivals written down, for installations of several processes.

Owns one table, whose rows are gone after a day or once the visitor is on record. Rule: a visitor
never waits long for it and never fails over it: it is about pages, and a token needs no row.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.storage.database import Database, among, upsert
from qingniao.storage.models import arrivals
from qingniao.storage.rows import Arrival

__all__ = ["WrittenArrivals"]

_log: Final = get_logger("storage")
PATIENCE_S: Final = 1.0
"""The longest that a visitor waits for it."""
REST_S: Final = 2.0
"""After a failure nobody waits for so long: the database is ill, and what is noted stays noted."""
BATCH: Final = 500
KEPT_MS: Final = 24 * 3600 * 1000
SWEEP_S: Final = 600.0

_FIELDS: Final = Arrival.__struct_fields__


class Pending(Protocol):
    """The arrivals of this process that are not written yet."""

    def get(self, visitor: str) -> Arrival | None:
        """What is remembered of a visitor."""
        ...

    def oldest(self, limit: int) -> list[Arrival]:
        """Up to `limit` of them."""
        ...

    def recorded(self, arrival: Arrival) -> None:
        """It is written."""
        ...


class WrittenArrivals:
    """The table of arrivals. Those who come while one write is under way share the next one."""

    def __init__(self, database: Database, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._timer = timer
        self._writing = asyncio.Lock()
        self._ill_until_s = 0.0
        self._swept_s = 0.0

    async def settle(self, arrival: Arrival, pending: Pending) -> None:
        """Write everything that is pending, `arrival` among it, or give up soon."""
        if self._timer() < self._ill_until_s:
            return
        try:
            async with asyncio.timeout(PATIENCE_S), self._writing:
                # Whoever held the lock before may have taken it along.
                while pending.get(arrival.visitor) is arrival:
                    await self._write(pending.oldest(BATCH), pending)
        except (StorageError, TimeoutError) as exc:
            self._ill_until_s = self._timer() + REST_S
            _log.warning("arrivals_not_written", reason=str(exc) or "too slow")

    async def of(self, connection: AsyncConnection, visitors: Sequence[str]) -> dict[str, Arrival]:
        """What is written of these visitors."""
        query = select(*(arrivals.c[name] for name in _FIELDS))
        query = query.where(among(connection, arrivals.c.visitor, sorted(set(visitors))))
        rows = await connection.execute(query)
        return {row[0]: Arrival(**dict(zip(_FIELDS, row, strict=True))) for row in rows}

    async def forget(self, connection: AsyncConnection, written: Sequence[Arrival]) -> None:
        """These are on record, within the caller's transaction; newer ones stay."""
        statement = delete(arrivals).where(
            arrivals.c.visitor == bindparam("who"), arrivals.c.at == bindparam("when")
        )
        values = [{"who": one.visitor, "when": one.at} for one in written]
        await connection.execute(statement, values)

    async def _write(self, batch: list[Arrival], pending: Pending) -> None:
        newest_ms = max(arrival.at for arrival in batch)
        async with self._database.write() as connection:
            statement = upsert(connection, arrivals)
            statement = statement.on_conflict_do_update(
                index_elements=[arrivals.c.visitor],
                set_={name: statement.excluded[name] for name in _FIELDS if name != "visitor"},
            )
            in_order = sorted(batch, key=lambda arrival: arrival.visitor)
            await connection.execute(statement, [msgspec.structs.asdict(one) for one in in_order])
            if self._timer() - self._swept_s >= SWEEP_S:
                self._swept_s = self._timer()
                await connection.execute(
                    delete(arrivals).where(arrivals.c.at < newest_ms - KEPT_MS)
                )
        for arrival in batch:
            pending.recorded(arrival)
