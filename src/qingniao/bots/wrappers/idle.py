"""No silence may last longer than so long. Rule: any event is a sign of life, `Working` too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from qingniao.bots.base import BotService, BotTimeout, Query, ReplyEvent
from qingniao.bots.wrappers.base import Wrapper

__all__ = ["IdleTimeout"]


class IdleTimeout(Wrapper):
    """Raises `BotTimeout` when nothing comes for `idle_s` seconds."""

    def __init__(self, inner: BotService, *, idle_s: float) -> None:
        if idle_s <= 0:
            raise ValueError(f"idle_s must be above 0, got {idle_s}")
        super().__init__(inner)
        self._idle_s = idle_s

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        async with aclosing(self._inner.reply(query)) as events:
            while True:
                try:
                    async with asyncio.timeout(self._idle_s):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise BotTimeout(f"{self.name} was silent for {self._idle_s:g} s.") from None
                yield event
