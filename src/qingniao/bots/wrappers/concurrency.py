"""So many questions at once, and so many waiting. Rule: who finds no place hears it at once
(policy: refuse); who waits does so for a bounded time.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from qingniao.bots.base import BotBusy, BotService, Query, ReplyEvent
from qingniao.bots.wrappers.base import Wrapper

__all__ = ["Concurrency"]


class Concurrency(Wrapper):
    """At most `at_once` replies under way, `waiting` more in line, each for at most `wait_s`
    seconds; above it `BotBusy`."""

    def __init__(
        self, inner: BotService, *, at_once: int, waiting: int = 0, wait_s: float = 10.0
    ) -> None:
        if at_once < 1 or waiting < 0:
            raise ValueError(f"at_once must be at least 1 and waiting 0, got {at_once}, {waiting}")
        super().__init__(inner)
        self._places = asyncio.Semaphore(at_once)
        self._waiting = waiting
        self._wait_s = wait_s
        self._in_line = 0

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        await self._enter()
        try:
            async with aclosing(self._inner.reply(query)) as events:
                async for event in events:
                    yield event
        finally:
            self._places.release()

    async def _enter(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._in_line >= self._waiting:
            raise BotBusy(f"{self.name} is answering as many as it may.")
        self._in_line += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise BotBusy(f"{self.name} had no time for {self._wait_s:g} s.") from None
        finally:
            self._in_line -= 1
