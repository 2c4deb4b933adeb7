"""Sums per hour for reports.

Rule: adding is commutative, so that late facts land in their own hour. What is added is added in
the transaction that moves the adder's position on (`ConversationIndex.project`); a repeat would
count twice.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, upsert
from qingniao.storage.models import rollups

__all__ = ["Rollup", "Rollups", "add_within"]


class Rollup(Struct, frozen=True, kw_only=True):
    """`value` of `metric` within an hour. `hour` counts from 1970-01-01 UTC; `label` splits a
    metric, by bot or agent for example."""

    hour: int
    metric: str
    label: str = ""
    value: float = 0


class Rollups:
    """Hourly sums."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, amounts: Sequence[Rollup]) -> None:
        """Add every amount to its sum, all or nothing."""
        async with self._database.write() as connection:
            await add_within(connection, amounts)

    async def between(self, metric: str, first_hour: int, end_hour: int) -> list[Rollup]:
        """The sums of one metric, `end_hour` excluded, in order of time."""
        query = (
            select(rollups.c.hour, rollups.c.metric, rollups.c.label, rollups.c.value)
            .where(
                rollups.c.metric == metric,
                rollups.c.hour >= first_hour,
                rollups.c.hour < end_hour,
            )
            .order_by(rollups.c.hour, rollups.c.label)
        )
        async with self._database.read() as connection:
            return [
                Rollup(hour=hour, metric=name, label=label, value=value)
                for hour, name, label, value in await connection.execute(query)
            ]


async def add_within(connection: AsyncConnection, amounts: Sequence[Rollup]) -> None:
    """Add to the sums as a part of the caller's transaction."""
    if not amounts:
        return
    sums: Counter[tuple[int, str, str]] = Counter()
    for amount in amounts:
        sums[amount.hour, amount.metric, amount.label] += amount.value  # type: ignore[assignment]
    statement = upsert(connection, rollups)
    statement = statement.on_conflict_do_update(
        index_elements=[rollups.c.hour, rollups.c.metric, rollups.c.label],
        set_={"value": rollups.c.value + statement.excluded.value},
    )
    # In one order: two who add to the same sums must not wait for each other crosswise.
    values = [
        {"hour": hour, "metric": metric, "label": label, "value": value}
        for (hour, metric, label), value in sorted(sums.items())
    ]
    await connection.execute(statement, values)
