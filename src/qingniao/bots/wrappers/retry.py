"""Once more, when a bot could not begin. Rule: never after the first text: a question that has
begun to be answered was taken, and asking again would ask twice.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from qingniao.bots.base import (
    BotBusy,
    BotService,
    BotUnavailable,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    TextDelta,
)
from qingniao.bots.wrappers.base import Wrapper

__all__ = ["Retry"]


class Retry(Wrapper):
    """Asks up to `tries` times in all when the bot is `BotUnavailable` or `BotBusy`.

    Waits `backoff_s`, then twice that and so on, up to `max_wait_s`, each time by chance a little
    less, so that many conversations do not come back at once. A bot that says when to come back is
    believed, unless that is later than `max_wait_s`: then it is not asked again.
    """

    def __init__(
        self,
        inner: BotService,
        *,
        tries: int = 2,
        backoff_s: float = 0.5,
        max_wait_s: float = 8.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        super().__init__(inner)
        self._tries = tries
        self._backoff_s = backoff_s
        self._max_wait_s = max_wait_s
        self._chance = chance

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        has_text = has_ground = False
        for attempt in range(1, self._tries + 1):
            try:
                async with aclosing(self._inner.reply(query)) as events:
                    async for event in events:
                        if isinstance(event, Grounded):
                            if has_ground and not has_text:
                                continue
                            has_ground = True
                        has_text = has_text or isinstance(event, TextDelta | Done)
                        yield event
                return
            except (BotUnavailable, BotBusy) as exc:
                wait_s = self._wait_s(attempt, exc)
                if has_text or attempt == self._tries or wait_s > self._max_wait_s:
                    raise
            await asyncio.sleep(wait_s)

    def _wait_s(self, attempt: int, exc: Exception) -> float:
        if isinstance(exc, BotBusy) and exc.retry_after_s > 0:
            return exc.retry_after_s
        longest_s = min(self._backoff_s * float(2 ** (attempt - 1)), self._max_wait_s)
        return longest_s * (0.75 + 0.25 * self._chance())
