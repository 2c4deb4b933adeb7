"""The bots of this process, made of their published versions. Owns when they are made anew.

Rule: replies under way end with the bot they began with; a bot that cannot be made is missing, with
its reason, and the others are there.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct, structs

from qingniao.auth.sealing import SealBroken, Sealer
from qingniao.bots.base import (
    BotError,
    BotMisconfigured,
    BotService,
    Closing,
    Done,
    Query,
    ReplyEvent,
)
from qingniao.bots.kinds import make, origin_of, place_of
from qingniao.bots.wrappers.base import Wrapper
from qingniao.bots.wrappers.measured import Figures
from qingniao.bots.wrappers.stack import Policy, chain, guarded
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.outgoing.client import Outgoing
from qingniao.runtime.bot_watch import BotWatch
from qingniao.storage.bot_records import BotRecords
from qingniao.storage.bots import BotLedger, Bots
from qingniao.storage.rows import BotRow

__all__ = ["Shelf", "Versioned"]

LOOK_S: Final = 30.0
"""A hint that was lost is made good after this."""
CLOSE_AFTER_S: Final = 300.0
"""A bot that was replaced is let go after the longest reply."""

_log = get_logger("runtime")


class Versioned(Wrapper):
    """Says in each `Done` which version of the bot gave it."""

    def __init__(self, inner: BotService, version: int) -> None:
        super().__init__(inner)
        self._version = str(version)

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        async with aclosing(self._inner.reply(query)) as events:
            async for event in events:
                if isinstance(event, Done) and not event.version:
                    event = structs.replace(event, version=self._version)
                yield event


class _Stands(Struct):
    row: BotRow
    sealed: dict[str, str]
    bot: BotService | None
    policy: Policy = Policy()
    why: str = ""


class Shelf:
    """Finds bots by id; `run` keeps it up to date."""

    def __init__(
        self,
        bots: Bots,
        sealer: Sealer,
        outgoing: Outgoing,
        ledger: BotLedger,
        records: BotRecords | None = None,
        watch: BotWatch | None = None,
    ) -> None:
        self._bots = bots
        self._records = records
        self.first = ""
        """Which bot an administrator chose to answer first; empty: nobody chose."""
        self._sealer = sealer
        self._outgoing = outgoing
        self._ledger = ledger
        self.figures = Figures(watch)
        self._stands: dict[str, _Stands] = {}
        self._released = asyncio.Event()
        self._letting_go: set[asyncio.Task[None]] = set()

    def find(self, bot: str) -> BotService | None:
        """The published bot of this id; `None` if there is none. Raises `BotMisconfigured` if it
        could not be made."""
        stands = self._stands.get(bot)
        if stands is None:
            return None
        if stands.bot is None:
            raise BotMisconfigured(stands.why)
        return stands.bot

    def answering(self, bot: str, others: Mapping[str, BotService]) -> BotService | None:
        """The published bot of this id with those that stand in for it, which may be among
        `others`; `None` if there is none. Raises `BotMisconfigured` if nobody is left."""
        stands = self._stands.get(bot)
        if stands is None:
            return None
        chained: list[BotService] = [] if stands.bot is None else [stands.bot]
        for name in stands.policy.then:
            held = self._stands.get(name)
            spare = others.get(name) or (held.bot if held is not None else None)
            if spare is not None and name != bot:
                chained.append(spare)
        if not chained:
            raise BotMisconfigured(stands.why)
        return chain(chained)

    def release(self) -> None:
        """Something was published: look soon."""
        self._released.set()

    async def look(self) -> None:
        """Take over what has changed. Raises `StorageError`."""
        rows = await self._bots.published()
        sealed = await self._bots.secrets()
        if self._records is not None:
            self.first = await self._records.first()
        fresh: dict[str, _Stands] = {}
        for row in rows:
            keys = sealed.get((row.id, origin_of(row.kind, row.settings)), {})
            held = self._stands.get(row.id)
            if held is not None and (held.row, held.sealed) == (row, keys):
                fresh[row.id] = held
            else:
                fresh[row.id] = self._made(row, keys)
        for bot, held in self._stands.items():
            if fresh.get(bot) is not held and held.bot is not None:
                self._let_go(held.bot)
        self._stands = fresh

    def construct(self, row: BotRow, secrets: Mapping[str, str]) -> BotService:
        """A bot without policy, as for a test of its connection. Raises `BotMisconfigured`."""
        return make(row.kind, row.settings, secrets, self._outgoing, row.id)

    def _opened(self, row: BotRow, sealed: dict[str, str]) -> BotService:
        origin = origin_of(row.kind, row.settings)
        try:
            secrets = {
                field: self._sealer.open(text, place_of(row.id, origin, field))
                for field, text in sealed.items()
            }
        except SealBroken as exc:
            raise BotMisconfigured(f"{exc} Enter it again.") from exc
        return self.construct(row, secrets)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._released.wait()
            except TimeoutError:
                pass
            self._released.clear()
            try:
                await self.look()
            except StorageError as exc:
                _log.warning("bots_not_read", reason=str(exc))

    async def close(self) -> None:
        """Let go of all of them."""
        for task in tuple(self._letting_go):
            task.cancel()
        for held in self._stands.values():
            if isinstance(held.bot, Closing):
                await held.bot.close()
        self._stands = {}

    def _made(self, row: BotRow, sealed: dict[str, str]) -> _Stands:
        policy = Policy()
        try:
            policy = msgspec.convert(row.policy, Policy)
            bot = Versioned(self._opened(row, sealed), row.version)
            held = guarded(bot, policy, self._ledger)
            return _Stands(row, sealed, self.figures.measured(held), policy)
        except (BotError, ValueError) as exc:  # msgspec's is one too
            _log.warning("bot_not_made", bot=row.id, version=row.version, reason=str(exc))
            return _Stands(row, sealed, None, policy, str(exc))

    def _let_go(self, bot: BotService) -> None:
        async def later() -> None:
            await asyncio.sleep(CLOSE_AFTER_S)
            if isinstance(bot, Closing):
                await bot.close()

        task = asyncio.ensure_future(later())
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)
