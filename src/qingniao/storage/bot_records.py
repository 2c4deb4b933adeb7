"""What bots did lately, and which of them answers first.

Owns sums per hour (in the table of all hourly sums), the last failure of each bot and the choice of
who answers first (both among the site's settings). Rule: sums only grow, so that any number of
processes may add to them; of failures the newest wins.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, lock, upsert
from qingniao.storage.models import rollups, site
from qingniao.storage.rollups import Rollup, add_within

__all__ = ["PREFIX", "BotFailure", "BotRecords"]

PREFIX: Final = "bot_"
"""Of every metric that is kept here; its label is the bot's id."""

_FAILURES: Final = "bot_failures"
_FIRST: Final = "bot_first"


class BotFailure(Struct, frozen=True, kw_only=True):
    """Why a visitor was not answered. `time` is in milliseconds, `detail` a sentence."""

    code: str
    detail: str
    time: int


class BotRecords:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, amounts: Sequence[Rollup], failures: Mapping[str, BotFailure]) -> None:
        """Add to the sums and take note of failures, all or nothing. Raises `StorageError`."""
        async with self._database.write() as connection:
            await add_within(connection, amounts)
            if failures:
                await _change(connection, _FAILURES, lambda held: _newer(held, failures))

    async def sums(self, first_hour: int) -> dict[str, Counter[str]]:
        """By bot: what was summed since that hour, by metric."""
        metric, label, value = rollups.c.metric, rollups.c.label, rollups.c.value
        query = (
            select(label, metric, func.sum(value))
            .where(rollups.c.hour >= first_hour, metric.startswith(PREFIX, autoescape=True))
            .group_by(label, metric)
        )
        found: dict[str, Counter[str]] = {}
        async with self._database.read() as connection:
            for bot, name, total in await connection.execute(query):
                found.setdefault(bot, Counter())[name] = total
        return found

    async def failures(self) -> dict[str, BotFailure]:
        """The last one of each bot that ever failed."""
        return msgspec.convert(await self._get(_FAILURES), dict[str, BotFailure])

    async def first(self) -> str:
        """Which bot an administrator chose to answer first; empty: nobody chose."""
        return str((await self._get(_FIRST)).get("bot", ""))

    async def put_first(self, bot: str) -> None:
        """From now on this one; empty takes the choice back."""
        async with self._database.write() as connection:
            await _change(connection, _FIRST, lambda _: {"bot": bot})

    async def forget(self, bot: str) -> None:
        """It was removed: its last failure goes too, and with it a choice of it."""

        def without(held: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in held.items() if name != bot}

        async with self._database.write() as connection:
            await _change(connection, _FAILURES, without)
            await _change(connection, _FIRST, lambda held: {} if held.get("bot") == bot else held)

    async def _get(self, key: str) -> dict[str, Any]:
        async with self._database.read() as connection:
            return await connection.scalar(select(site.c.value).where(site.c.key == key)) or {}


def _newer(held: dict[str, Any], failures: Mapping[str, BotFailure]) -> dict[str, Any]:
    kept = dict(held)
    for bot, failure in failures.items():
        if failure.time >= kept.get(bot, {}).get("time", 0):
            kept[bot] = msgspec.structs.asdict(failure)
    return kept


async def _change(
    connection: AsyncConnection, key: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    await lock(connection, key)
    held = await connection.scalar(select(site.c.value).where(site.c.key == key)) or {}
    changed = change(held)
    if changed == held:
        return
    statement = upsert(connection, site)
    statement = statement.on_conflict_do_update(
        index_elements=[site.c.key], set_={"value": statement.excluded.value}
    )
    await connection.execute(statement, {"key": key, "value": changed})
