"""A whole reply may take so long and no longer. Rule: the time a reader takes is not the bot's."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from qingniao.bots.base import BotService, BotTimeout, Query, ReplyEvent
from qingniao.bots.wrappers.base import Wrapper, shorter

__all__ = ["Deadline"]


class Deadline(Wrapper):
    """Raises `BotTimeout` when the bot has been waited for `total_s` seconds altogether, or for as
    long as whoever asks will wait, if that is less. Zero: that alone counts."""

    def __init__(self, inner: BotService, *, total_s: float) -> None:
        if total_s < 0:
            raise ValueError(f"total_s must not be below 0, got {total_s}")
        super().__init__(inner)
        self._total_s = total_s

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        total_s = left_s = shorter(self._total_s, query.total_s)
        async with aclosing(self._inner.reply(query)) as events:
            while True:
                asked_s = time.monotonic()
                try:
                    async with asyncio.timeout(left_s):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise BotTimeout(f"{self.name} was not done after {total_s:g} s.") from None
                if left_s is not None:
                    left_s = max(0.0, left_s - (time.monotonic() - asked_s))
                yield event
