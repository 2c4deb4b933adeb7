"""A bot may cost so much in a period. Owns the question whether it may; the sums are a ledger's.

Rule: what a reply costs is known only at its end, so that the last one may go over; the next one is
refused.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Protocol

from msgspec import Struct

from qingniao.bots.base import BotOverBudget, BotService, Done, Query, ReplyEvent, Usage
from qingniao.bots.wrappers.base import Wrapper
from qingniao.log import get_logger

__all__ = ["DAY_S", "Budget", "Ledger", "MemoryLedger", "Spent"]

DAY_S: Final = 86_400

_log = get_logger("bots")


class Spent(Struct, frozen=True, kw_only=True):
    """What a bot has used in a period."""

    tokens: int = 0
    cost: float = 0.0
    replies: int = 0


class Ledger(Protocol):
    """Where the sums are kept."""

    async def spent(self, bot: str, period: int) -> Spent:
        """What was used in that period; zero when nothing was."""
        ...

    async def add(self, bot: str, period: int, usage: Usage) -> None:
        """Add one reply."""
        ...


class MemoryLedger:
    """For one process; forgets at its end, and keeps the latest period of each bot."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, Spent]] = {}

    async def spent(self, bot: str, period: int) -> Spent:
        at, spent = self._sums.get(bot, (period, Spent()))
        return spent if at == period else Spent()

    async def add(self, bot: str, period: int, usage: Usage) -> None:
        now = await self.spent(bot, period)
        tokens = now.tokens + usage.prompt_tokens + usage.completion_tokens
        spent = Spent(tokens=tokens, cost=now.cost + usage.cost, replies=now.replies + 1)
        self._sums[bot] = (period, spent)


class Budget(Wrapper):
    """Raises `BotOverBudget` once `tokens` or `cost` are used up; zero is no limit.

    A period has `period_s` seconds and begins at midnight UTC if that is a day.
    """

    def __init__(
        self,
        inner: BotService,
        ledger: Ledger,
        *,
        tokens: int = 0,
        cost: float = 0.0,
        period_s: int = DAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if tokens < 0 or cost < 0 or period_s < 1:
            raise ValueError("tokens and cost must not be below 0, period_s must be at least 1")
        super().__init__(inner)
        self._ledger = ledger
        self._tokens = tokens
        self._cost = cost
        self._period_s = period_s
        self._clock = clock

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        period = int(self._clock()) // self._period_s
        spent = await self._ledger.spent(self.name, period)
        if (self._tokens and spent.tokens >= self._tokens) or (
            self._cost and spent.cost >= self._cost
        ):
            raise BotOverBudget
        async with aclosing(self._inner.reply(query)) as events:
            async for event in events:
                if isinstance(event, Done):
                    await self._add(period, event.usage)
                yield event

    async def _add(self, period: int, usage: Usage) -> None:
        try:
            await self._ledger.add(self.name, period, usage)
        except Exception as exc:  # the answer is there; a sum that is short is the lesser evil
            _log.error("usage_not_counted", exc=exc, bot=self.name)
