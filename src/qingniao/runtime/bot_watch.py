"""Takes note of what bots do for visitors: for the page on which an administrator sees them.

Owns the sums of this process until they are in the database. Rule: an answer never waits for them;
they are bounded (policy: refuse) and lost with the process, at most those of `FLUSH_S`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from qingniao.bots.base import BotError, BotService, Done, Query, ReplyEvent, TextDelta
from qingniao.bots.figures import of_answer, of_failure
from qingniao.bots.wrappers.base import Wrapper
from qingniao.clock import Clock
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.storage.bot_records import BotFailure, BotRecords
from qingniao.storage.rollups import Rollup

__all__ = ["BotWatch"]

FLUSH_S: Final = 3.0
SUMS: Final = 5_000
"""Kept while the database is away: some forty for each bot and hour."""
_DETAIL_CHARS: Final = 500
_HOUR_MS: Final = 3_600_000

_log = get_logger("runtime")


class BotWatch:
    """Hands out bots that are watched; `run` writes down what was seen."""

    def __init__(
        self, records: BotRecords, clock: Clock, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._records = records
        self._clock = clock
        self.timer = timer
        self._sums: Counter[tuple[int, str, str]] = Counter()
        self._failures: dict[str, BotFailure] = {}

    def watched(self, bot: BotService) -> BotService:
        """The bot, counted."""
        return _Watched(bot, self)

    def count(self, bot: str, amounts: Counter[str]) -> None:
        """Add to its sums of this hour."""
        hour = self._clock() // _HOUR_MS
        for metric, value in amounts.items():
            key = (hour, metric, bot)
            if key in self._sums or len(self._sums) < SUMS:
                self._sums[key] += value

    def failed(self, bot: str, error: BotError) -> None:
        """It raised."""
        self.count(bot, of_failure())
        if bot in self._failures or len(self._failures) < SUMS:
            self._failures[bot] = BotFailure(
                code=error.code, detail=str(error)[:_DETAIL_CHARS], time=self._clock()
            )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was seen since the last time; what cannot be written is kept."""
        if not self._sums and not self._failures:
            return
        sums, failures = self._sums, self._failures
        self._sums, self._failures = Counter(), {}
        amounts = [
            Rollup(hour=hour, metric=metric, label=bot, value=value)
            for (hour, metric, bot), value in sums.items()
        ]
        try:
            await self._records.add(amounts, failures)
        except StorageError as exc:
            _log.warning("bot_figures_not_written", reason=str(exc))
            self._sums = sums + self._sums
            self._failures = failures | self._failures


class _Watched(Wrapper):
    def __init__(self, inner: BotService, watch: BotWatch) -> None:
        super().__init__(inner)
        self._watch = watch

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        watch = self._watch
        asked_s = watch.timer()
        first_s = 0.0
        try:
            async with aclosing(self._inner.reply(query)) as events:
                async for event in events:
                    if not first_s and isinstance(event, TextDelta):
                        first_s = watch.timer()
                    elif isinstance(event, Done):
                        now_s = watch.timer()
                        first_ms = ((first_s or now_s) - asked_s) * 1_000
                        amounts = of_answer(event.usage, first_ms, (now_s - asked_s) * 1_000)
                        watch.count(self.name, amounts)
                    yield event
        except BotError as exc:
            watch.failed(self.name, exc)
            raise
