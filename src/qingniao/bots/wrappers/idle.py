"""No silence may last longer than so long. Rule: any event is a sign of life, `Working` too.

A platform's pings are such events: a bot that thinks for long and says so is waited for, until its
deadline; one that says nothing at all is taken for dead.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from qingniao.bots.base import BotService, BotTimeout, Query, ReplyEvent
from qingniao.bots.wrappers.base import Wrapper, shorter

__all__ = ["IdleTimeout"]


class IdleTimeout(Wrapper):
    """Raises `BotTimeout` when nothing comes for `idle_s` seconds, or for as long as whoever asks
    will bear, if that is less. Zero: that alone counts."""

    def __init__(self, inner: BotService, *, idle_s: float) -> None:
        if idle_s < 0:
            raise ValueError(f"idle_s must not be below 0, got {idle_s}")
        super().__init__(inner)
        self._idle_s = idle_s

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        idle_s = shorter(self._idle_s, query.idle_s)
        async with aclosing(self._inner.reply(query)) as events:
            while True:
                try:
                    async with asyncio.timeout(idle_s):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise BotTimeout(f"{self.name} was silent for {idle_s:g} s.") from None
                yield event
