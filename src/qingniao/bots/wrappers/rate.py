"""So many questions in a time. Rule: a token bucket of numbers, no tasks; above it who asks hears
when to come back (policy: refuse).
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from qingniao.bots.base import BotBusy, BotService, Query, ReplyEvent
from qingniao.bots.wrappers.base import Wrapper

__all__ = ["RateLimit"]


class RateLimit(Wrapper):
    """`per_minute` questions a minute on average, `burst` at once; above it `BotBusy`."""

    def __init__(
        self,
        inner: BotService,
        *,
        per_minute: float,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_minute <= 0 or burst < 1:
            raise ValueError(f"per_minute and burst must be above 0, got {per_minute}, {burst}")
        super().__init__(inner)
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._at_s = clock()

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        self._take()
        async with aclosing(self._inner.reply(query)) as events:
            async for event in events:
                yield event

    def _take(self) -> None:
        now_s = self._clock()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            wait_s = (1 - self._left) / self._per_s
            raise BotBusy(f"{self.name} has been asked often enough.", retry_after_s=wait_s)
        self._left -= 1
