"""Bots and their versions, their sealed keys, and what they have used.

Rule: a published version is never changed: editing makes a draft, and going back publishes the old
settings again under a new number. Keys are not versioned; they are written and never read out
except by whoever asks the platform.
"""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.bots.base import Usage
from qingniao.bots.wrappers.budget import Spent
from qingniao.storage.database import Database, lock, upsert
from qingniao.storage.models import bot_secrets, bot_usage, bots
from qingniao.storage.rows import BotRow

__all__ = ["BotLedger", "Bots", "Sealed"]

Sealed = dict[tuple[str, str], dict[str, str]]
"""By bot and the origin of its platform: field → sealed key. A key is for one platform: whoever
lets a bot point elsewhere has to enter it again, so that nobody has it sent to themselves."""

_FIELDS = BotRow.__struct_fields__
_BOT = [bots.c[name] for name in _FIELDS]


class Bots:
    """Every version of every bot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[BotRow]:
        """Every version, by bot, newest first."""
        return await self._rows(select(*_BOT).order_by(bots.c.id, bots.c.version.desc()))

    async def published(self) -> list[BotRow]:
        """Of each bot the version that answers, by id."""
        newest = (
            select(bots.c.id, func.max(bots.c.version).label("version"))
            .where(bots.c.status == "published")
            .group_by(bots.c.id)
            .subquery()
        )
        on = (bots.c.id == newest.c.id) & (bots.c.version == newest.c.version)
        return await self._rows(select(*_BOT).join(newest, on).order_by(bots.c.id))

    async def versions(self, bot: str) -> list[BotRow]:
        """Of one bot, newest first."""
        query = select(*_BOT).where(bots.c.id == bot).order_by(bots.c.version.desc())
        return await self._rows(query)

    async def save_draft(self, draft: BotRow) -> BotRow:
        """Replace the bot's draft; its version is one above the newest published one, whatever
        `draft` says."""
        async with self._database.write() as connection:
            await lock(connection, f"bot {draft.id}")
            await connection.execute(_drafts(draft.id))
            return await _insert(connection, draft, "draft")

    async def publish(self, bot: str, now_ms: int) -> BotRow | None:
        """The draft answers from now on. `None` if there is no draft."""
        async with self._database.write() as connection:
            await lock(connection, f"bot {bot}")
            statement = (
                update(bots)
                .where(bots.c.id == bot, bots.c.status == "draft")
                .values(status="published", updated=now_ms)
                .returning(*_BOT)
            )
            row = (await connection.execute(statement)).first()
        return _bot(row) if row else None

    async def roll_back(self, bot: str, version: int, now_ms: int) -> BotRow | None:
        """Publish the settings of an earlier version again, under a new number; a draft is kept
        and numbered after it. `None` if that version was never published."""
        async with self._database.write() as connection:
            await lock(connection, f"bot {bot}")
            query = select(*_BOT).where(bots.c.id == bot)
            rows = [_bot(row) for row in await connection.execute(query)]
            old = next((r for r in rows if r.version == version and r.status == "published"), None)
            if old is None:
                return None
            draft = next((row for row in rows if row.status == "draft"), None)
            await connection.execute(_drafts(bot))
            note = f"as version {version}"
            back = msgspec.structs.replace(old, note=note, updated=now_ms)
            made = await _insert(connection, back, "published")
            if draft is not None:
                await _insert(connection, draft, "draft")
            return made

    async def remove(self, bot: str) -> bool:
        """Forget a bot, its versions and its keys. False if there was none."""
        async with self._database.write() as connection:
            await lock(connection, f"bot {bot}")
            await connection.execute(delete(bot_secrets).where(bot_secrets.c.bot == bot))
            return bool((await connection.execute(delete(bots).where(bots.c.id == bot))).rowcount)

    async def put_secrets(self, bot: str, origin: str, sealed: dict[str, str], now_ms: int) -> None:
        """Store sealed keys for one platform by field; an empty one takes a key away, others
        stay."""
        async with self._database.write() as connection:
            await lock(connection, f"bot {bot}")
            for field, text in sealed.items():
                row = {"bot": bot, "origin": origin, "field": field}
                where = (bot_secrets.c[column] == value for column, value in row.items())
                await connection.execute(delete(bot_secrets).where(*where))
                if text:
                    values = {**row, "sealed": text, "updated": now_ms}
                    await connection.execute(insert(bot_secrets), values)

    async def secrets(self, bot: str = "") -> Sealed:
        """Sealed keys of one bot, or of all."""
        columns = bot_secrets.c
        query = select(columns.bot, columns.origin, columns.field, columns.sealed)
        if bot:
            query = query.where(columns.bot == bot)
        found: Sealed = {}
        async with self._database.read() as connection:
            for owner, origin, field, sealed in await connection.execute(query):
                found.setdefault((owner, origin), {})[field] = sealed
        return found

    async def _rows(self, query: Any) -> list[BotRow]:
        async with self._database.read() as connection:
            return [_bot(row) for row in await connection.execute(query)]


class BotLedger:
    """What bots have used, in the database: the same for all processes, and there after a restart.
    Implements `bots.wrappers.budget.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, bot: str, period: int) -> Spent:
        """See `Ledger.spent`."""
        columns = bot_usage.c
        query = select(columns.tokens, columns.cost, columns.replies).where(
            columns.bot == bot, columns.period == period
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return Spent(tokens=row[0], cost=row[1], replies=row[2]) if row else Spent()

    async def add(self, bot: str, period: int, usage: Usage) -> None:
        """See `Ledger.add`."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        row = {"bot": bot, "period": period, "tokens": tokens, "cost": usage.cost, "replies": 1}
        async with self._database.write() as connection:
            statement = upsert(connection, bot_usage)
            added = statement.excluded
            columns = bot_usage.c
            statement = statement.on_conflict_do_update(
                index_elements=[columns.bot, columns.period],
                set_={
                    "tokens": columns.tokens + added.tokens,
                    "cost": columns.cost + added.cost,
                    "replies": columns.replies + added.replies,
                },
            )
            await connection.execute(statement, row)


def _drafts(bot: str) -> Any:
    return delete(bots).where(bots.c.id == bot, bots.c.status == "draft")


async def _insert(connection: AsyncConnection, row: BotRow, status: str) -> BotRow:
    query = select(func.max(bots.c.version)).where(bots.c.id == row.id)
    newest = int(await connection.scalar(query) or 0)
    fields = msgspec.structs.asdict(row) | {"version": newest + 1, "status": status}
    await connection.execute(insert(bots), fields)
    return BotRow(**fields)


def _bot(row: Row[Any]) -> BotRow:
    return BotRow(**dict(zip(_FIELDS, row, strict=True)))
