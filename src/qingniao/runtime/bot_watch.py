"""Takes note of what bots do for visitors: for the page on which an administrator sees them.

Owns the sums of this process until they are in the database. Rule: an answer never waits for them;
they are bounded (policy: refuse) and lost with the process, at most those of `FLUSH_S`.
"""

import asyncio
from collections import Counter
from typing import Final

from qingniao.bots.base import BotError, Done
from qingniao.bots.figures import of_answer, of_failure
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
    """Takes notes, see `bots.wrappers.measured.Notes`; `run` writes them down."""

    def __init__(self, records: BotRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._sums: Counter[tuple[int, str, str]] = Counter()
        self._failures: dict[str, BotFailure] = {}

    def answered(self, bot: str, done: Done, first_ms: float, whole_ms: float) -> None:
        """See `Notes.answered`."""
        self._count(bot, of_answer(done.usage, first_ms, whole_ms))

    def failed(self, bot: str, error: BotError) -> None:
        """See `Notes.failed`."""
        self._count(bot, of_failure())
        if bot in self._failures or len(self._failures) < SUMS:
            self._failures[bot] = BotFailure(
                code=error.code, detail=str(error)[:_DETAIL_CHARS], time=self._clock()
            )

    def _count(self, bot: str, amounts: Counter[str]) -> None:
        hour = self._clock() // _HOUR_MS
        for metric, value in amounts.items():
            key = (hour, metric, bot)
            if key in self._sums or len(self._sums) < SUMS:
                self._sums[key] += value

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
