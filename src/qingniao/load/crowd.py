"""The people of one process: brought in, set talking, waited for, and counted.

Owns their connections from the first attempt to the end of the run. Rule: the schedule is kept
whatever the server does; everything that waits here does so for a bounded time.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Final

from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.load.meter import Tally
from qingniao.load.opening import Opener
from qingniao.load.people import Agent, Person, Slow, Visitor
from qingniao.load.plan import SAY, Plan, Share, dues_us, ramp_us
from qingniao.load.ticker import Ticker, now_us
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import comes_back
from qingniao.protocol.frames import Hello

__all__ = ["Crowd", "Order"]

_TRIES: Final = 4
_AGAIN_S: Final = 1.0
_READY_S: Final = 60.0
"""After the ramp: until everybody is welcome and every conversation has its agent."""
_SETTLE_S: Final = 10.0
_SLOW_S: Final = 3.0
"""How long slow readers look at what became of them."""
_SAID_US: Final = tuple(500_000 + 1_000_000 * number for number in range(SAY))
"""When a visitor of a day says things, after arriving."""
_LOOK_US: Final = 500_000
_QUESTIONS: Final = ("怎么退货？", "多久发货？", "运费多少？", "how do I return an item?")
_TURN: Final = 32
"""Messages sent in a row, when behind the schedule, before what has arrived is read."""
_ARRIVAL: Final = SAY
"""The kind of event of a day that is not a message."""


class Order(Struct, frozen=True, kw_only=True):
    """What a process is told to be."""

    url: str
    plan: Plan
    share: Share
    tokens: list[tuple[str, int]]
    """A token and its conversation for every visitor."""
    ticket: str
    """For all agents; good for a minute."""
    run: str
    """Told apart from other runs: part of every device's name."""


class TooMany(QingniaoError):
    """An agent would have to follow more conversations than the server allows."""

    code = "too_many"


class Crowd:
    """See the module."""

    def __init__(self, order: Order) -> None:
        self.plan, self._share, self._order = order.plan, order.share, order
        self.tally = Tally()
        self.has_agents = order.share.agents > 0
        self._filler = "x" * order.plan.text_bytes
        self._asked = 0
        self.open = 0
        """Connections that are up."""
        self.follows = 0
        """Conversations that an agent may follow."""
        self.visitors: dict[Visitor, None] = {}
        self._agents: list[Agent] = []
        self._slow: list[Person] = []
        self._answers_owed = 0.0
        self._tokens = iter(order.tokens)
        self._names = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ending = self._is_stopped = False
        self._opener = Opener(order.url, order.plan.sources)
        self._departed: list[Visitor] = []
        """Visitors of a day whose connection was lost: something of theirs may still arrive."""

    # Coming.

    async def gather(self) -> None:
        """Bring everybody in. Raises `TooMany`."""
        await self._opener.find()
        for _ in range(self._share.agents):
            self._agents.append(Agent(self, self._hello(self._order.ticket), now_us()))
        for _ in range(self._share.slow):
            token = self._order.ticket if self.has_agents else next(self._tokens)[0]
            self._slow.append(Slow(self, self._hello(token), now_us()))
        for person in (*self._agents, *self._slow):
            self._spawn(self._open(person))
        await self._until(lambda: all(_is_settled(p) for p in self._agents), _READY_S)
        each = -(-self._share.visitors // max(1, self._share.agents))
        if self.has_agents and self.follows and each > self.follows:
            least = -(-self.plan.visitors // self.follows)
            raise TooMany(
                f"An agent may follow {self.follows} conversations here and would have {each}: "
                f"give at least --agents {least}."
            )
        if self.plan.shape == "day":
            return
        start = now_us()
        for due_us in ramp_us(self.plan, self._share):
            wait_us = start + due_us - now_us()
            if wait_us > 0:
                await asyncio.sleep(wait_us / 1e6)
            self._spawn(self._open(self._come(start + due_us)))
        await self._until(lambda: all(_is_settled(p) for p in self.visitors), _READY_S)
        self._stop_reading(
            [v.asks.conversation for v in self.visitors if v.is_ready and self.has_agents]
        )

    def _come(self, due_us: int) -> Visitor:
        token, conversation = next(self._tokens)
        agents = [agent for agent in self._agents if not agent.is_over] or self._agents
        agent = agents[conversation % len(agents)] if agents else None
        visitor = Visitor(self, self._hello(token), due_us, conversation, agent)
        self.visitors[visitor] = None
        return visitor

    def _stop_reading(self, conversations: list[int]) -> None:
        count = min(self.plan.slow_follows, len(conversations))
        for number, person in enumerate(self._slow):
            first = number * count
            chosen = [conversations[(first + k) % len(conversations)] for k in range(count)]
            if isinstance(person, Slow):
                person.stop_reading(chosen)

    def _hello(self, token: str) -> bytes:
        self._names += 1
        device = f"{self._order.run}-{self._share.number}-{self._names}"
        return MSGPACK.encode(Hello(token, device))

    async def _open(self, person: Person) -> None:
        person.attempts += 1
        if not await self._opener.open(person):
            self._failed(person, again=True)

    def _failed(self, person: Person, *, again: bool) -> None:
        self.tally.failed += 1
        if again and person.attempts < _TRIES and not self._is_ending:
            self._spawn(self._open_later(person))
        else:
            self._over(person)
            self.tally.given_up += 1

    def _over(self, person: Person) -> None:
        person.is_over = True
        if self.plan.shape == "day" and isinstance(person, Visitor):
            # Makes room for another one.
            self.visitors.pop(person, None)
            self._departed.append(person)

    async def _open_later(self, person: Person) -> None:
        await asyncio.sleep(_AGAIN_S * person.attempts * random.uniform(0.5, 1.5))  # noqa: S311
        await self._open(person)

    # What people tell.

    def gone(self, person: Person, code: int) -> None:
        """Its connection has ended."""
        if self._is_ending or person.is_over:
            return
        if not person.is_welcome:
            return self._failed(person, again=comes_back(code))
        self._over(person)
        if isinstance(person, Slow):
            self.tally.slow_closed += 1
        else:
            self.tally.dropped[str(code)] = self.tally.dropped.get(str(code), 0) + 1
        return None

    def count_error(self, code: str) -> None:
        """The server refused something, or could not be understood."""
        self.tally.errors[code] = self.tally.errors.get(code, 0) + 1

    def text(self, number: int) -> str:
        """What a message says: for an agent its number, by which it is told apart from others and
        from repeats; for the bot a question that it knows."""
        if not self.has_agents:
            self._asked += 1
            return _QUESTIONS[self._asked % len(_QUESTIONS)]
        return f"{number} {self._filler}"[: self.plan.text_bytes]

    def wants_answer(self) -> bool:
        """Is this one of the messages that an agent answers?"""
        self._answers_owed += self.plan.answers
        if self._answers_owed < 1:
            return False
        self._answers_owed -= 1
        return True

    def finished(self, visitor: Visitor) -> None:
        """Everything was said and has arrived."""
        visitor.leave()
        self.tally.left += 1
        self.visitors.pop(visitor, None)
        if visitor.agent is not None:
            visitor.agent.let_go(visitor)

    # The run.

    async def talk(self, start_us: int) -> None:
        """Keep the schedule until its end; sooner when nobody is left."""
        ticker = Ticker()
        ticker.start(start_us)
        try:
            match self.plan.shape:
                case "chat":
                    await self._chat(start_us, ticker)
                case "day":
                    await self._day(start_us, ticker)
                case "idle":
                    await self._until(
                        lambda: self.open == 0 or self._is_stopped, self.plan.duration_s
                    )
        finally:
            ticker.close()

    def stop(self) -> None:
        """Say nothing more: `talk` ends."""
        self._is_stopped = True

    async def _on_time(
        self, dues: Iterator[tuple[int, int]], start_us: int, ticker: Ticker
    ) -> AsyncIterator[tuple[int, int]]:
        """Each (due time, kind) when it has come. When it is late, lets others work as well."""
        for number, (due_us, kind) in enumerate(dues):
            due_us += start_us
            late_us = now_us() - due_us
            if late_us < 0:
                await ticker.wait_until(due_us)
                late_us = now_us() - due_us
            elif number % _TURN == 0:
                await asyncio.sleep(0)
            if self._is_stopped:
                return
            self.tally.late.record(late_us)
            yield due_us, kind

    async def _chat(self, start_us: int, ticker: Ticker) -> None:
        talking = [visitor for visitor in self.visitors if visitor.is_ready]
        random.shuffle(talking)
        dues = ((due_us, 0) for due_us in dues_us(self.plan, self._share))
        number, look_at = 0, start_us
        async for due_us, _ in self._on_time(dues, start_us, ticker):
            if due_us >= look_at:
                look_at += _LOOK_US
                if not self.open:
                    # Nobody is left to say the rest.
                    self.tally.asks.unsent += 1 + sum(1 for _ in dues)
                    return
            visitor = talking[number % len(talking)]
            visitor.say(visitor.asks, due_us)
            number += 1

    async def _day(self, start_us: int, ticker: Ticker) -> None:
        plan, share = self.plan, self._share

        def events(kind: int, after_us: int) -> Iterator[tuple[int, int]]:
            return ((due_us + after_us, kind) for due_us in dues_us(plan, share))

        says = (events(number, after_us) for number, after_us in enumerate(_SAID_US))
        lines: tuple[deque[Visitor | None], ...] = tuple(deque() for _ in range(SAY))
        async for due_us, kind in self._on_time(
            heapq.merge(events(_ARRIVAL, 0), *says), start_us, ticker
        ):
            if kind == _ARRIVAL:
                visitor = self._come(due_us) if len(self.visitors) < share.visitors else None
                if visitor is not None:
                    visitor.to_say = SAY
                    self._spawn(self._open(visitor))
                for line in lines:
                    line.append(visitor)
                continue
            speaker = lines[kind].popleft()
            if speaker is None:
                self.tally.asks.unsent += 1
            else:
                speaker.say(speaker.asks, due_us)

    async def settle(self) -> None:
        """Wait for what is under way, look at the slow readers, and count what did not arrive."""
        await self._until(lambda: not any(map(_is_waiting, self.visitors)), _SETTLE_S)
        for person in self._slow:
            if isinstance(person, Slow):
                person.read_on()
        if self._slow:
            await self._until(lambda: all(p.is_over for p in self._slow), _SLOW_S)
        for visitor in (*self.visitors, *self._departed):
            self._account(visitor)
        for agent in self._agents:
            agent.give_up()

    def _account(self, visitor: Visitor) -> None:
        visitor.give_up()
        agent_left = visitor.agent is not None and visitor.agent.is_over
        for speaker, is_gone in ((visitor.asks, agent_left), (visitor.answers, visitor.is_over)):
            unacked = {number for _, number, _, _ in speaker.unacked if number}
            missing = sum(number not in unacked for number in speaker.undelivered)
            speaker.way.unacked += len(unacked)
            if is_gone:
                speaker.way.cut_off += missing
            else:
                speaker.way.lost += missing

    async def leave(self) -> None:
        """End every connection and everything that was begun."""
        self._is_ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for person in (*self.visitors, *self._agents, *self._slow):
            person.leave()

    async def _until(self, is_so: Callable[[], bool], within_s: float) -> None:
        end = now_us() + round(within_s * 1e6)
        while not is_so() and now_us() < end:  # noqa: ASYNC110  it is not one event but thousands
            await asyncio.sleep(0.1)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_settled(person: Person) -> bool:
    if isinstance(person, Visitor):
        return person.is_over or person.is_ready or person.asks.is_broken
    return person.is_over or person.is_welcome


def _is_waiting(visitor: Visitor) -> bool:
    agent = visitor.agent
    agent_here = agent is not None and not agent.is_over
    here = not visitor.is_over
    return bool(
        (here and (visitor.asks.unacked or visitor.has_in_line))
        or (agent_here and (visitor.answers.unacked or visitor.asks.undelivered))
        or (here and agent_here and visitor.answers.undelivered)
    )
