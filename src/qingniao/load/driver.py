"""Keeps a crowd to its schedule. Owns the time at which each message is said.

Rule: the schedule goes on whatever the server does; it ends sooner only when nobody is left, or
when somebody says so.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Final

from qingniao.load.crowd import Crowd
from qingniao.load.people import Visitor
from qingniao.load.plan import SAY, Plan, Share, dues_us
from qingniao.load.ticker import Ticker, now_us

__all__ = ["Driver"]

_LOOK_US: Final = 500_000
"""How often it looks whether anybody is left."""
_IDLE_S: Final = 0.1
_TURN: Final = 32
"""Messages sent in a row, when behind the schedule, before what has arrived is read."""
_ARRIVAL: Final = SAY
"""The kind of event of a day that is not a message; the others are the message's number."""
_SAID_US: Final = tuple(500_000 + 1_000_000 * number for number in range(SAY))
"""When a visitor of a day says things, after arriving."""

_Event = tuple[int, int]
"""(when it is due, in µs after the start; of which kind it is)"""


class Driver:
    """One run of one process."""

    def __init__(self, crowd: Crowd, plan: Plan, share: Share) -> None:
        self._crowd, self._plan, self._share = crowd, plan, share
        self._is_stopped = False

    def stop(self) -> None:
        """Say nothing more: `talk` ends."""
        self._is_stopped = True

    async def talk(self, start_us: int) -> None:
        """Keep the schedule until its end."""
        ticker = Ticker()
        ticker.start(start_us)
        try:
            match self._plan.shape:
                case "chat":
                    await self._chat(start_us, ticker)
                case "day":
                    await self._day(start_us, ticker)
                case "idle":
                    await self._idle(start_us)
        finally:
            ticker.close()

    async def _idle(self, start_us: int) -> None:
        end_us = start_us + round(self._plan.duration_s * 1e6)
        while self._crowd.open and not self._is_stopped:
            left_s = (end_us - now_us()) / 1e6
            if left_s <= 0:
                return
            await asyncio.sleep(min(_IDLE_S, left_s))

    async def _chat(self, start_us: int, ticker: Ticker) -> None:
        crowd, asks = self._crowd, self._crowd.tally.asks
        talking = [visitor for visitor in crowd.visitors if visitor.is_ready]
        random.shuffle(talking)
        dues = ((due_us, 0) for due_us in dues_us(self._plan, self._share))
        number, look_us = 0, start_us
        async for due_us, _ in self._on_time(dues, start_us, ticker):
            if due_us >= look_us:
                look_us += _LOOK_US
                if not crowd.open:
                    # Nobody is there to say the rest.
                    asks.unsent += 1 + sum(1 for _ in dues)
                    return
            visitor = talking[number % len(talking)]
            visitor.say(visitor.asks, due_us)
            number += 1

    async def _day(self, start_us: int, ticker: Ticker) -> None:
        crowd, plan, share = self._crowd, self._plan, self._share

        def events(kind: int, after_us: int) -> Iterator[_Event]:
            return ((due_us + after_us, kind) for due_us in dues_us(plan, share))

        says = (events(number, after_us) for number, after_us in enumerate(_SAID_US))
        together = heapq.merge(events(_ARRIVAL, 0), *says)
        lines: tuple[deque[Visitor | None], ...] = tuple(deque() for _ in range(SAY))
        async for due_us, kind in self._on_time(together, start_us, ticker):
            if kind == _ARRIVAL:
                has_room = len(crowd.visitors) < share.visitors
                visitor = crowd.come(due_us, to_say=SAY) if has_room else None
                for line in lines:
                    line.append(visitor)
                continue
            speaker = lines[kind].popleft()
            if speaker is None:
                crowd.tally.asks.unsent += 1
            else:
                speaker.say(speaker.asks, due_us)

    async def _on_time(
        self, events: Iterator[_Event], start_us: int, ticker: Ticker
    ) -> AsyncIterator[_Event]:
        """Each event when its time has come. When it is late, others get to work as well."""
        for number, (after_us, kind) in enumerate(events):
            due_us = start_us + after_us
            late_us = now_us() - due_us
            if late_us < 0:
                await ticker.wait_until(due_us)
                late_us = now_us() - due_us
            elif number % _TURN == 0:
                await asyncio.sleep(0)
            if self._is_stopped:
                return
            self._crowd.tally.late.record(late_us)
            yield due_us, kind
