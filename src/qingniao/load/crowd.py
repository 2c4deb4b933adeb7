"""The people of one process: brought in, waited for, and counted.

Owns their connections from the first attempt to the end of the run; refuses to say when anybody
speaks (that is `driver`). Rule: everything that waits here does so for a bounded time.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Struct

from qingniao.errors import ConfigError, StartError
from qingniao.load.meter import Tally
from qingniao.load.opening import Opener
from qingniao.load.people import Agent, Visitor
from qingniao.load.person import Person, Slow
from qingniao.load.plan import Plan, Share, ramp_us
from qingniao.load.ticker import now_us
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
_CHARACTER: Final = "青"
_CHARACTER_BYTES: Final = 3
_QUESTIONS: Final = ("怎么退货？", "多久发货？", "运费多少？", "how do I return an item?")


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


class Crowd:
    """See the module."""

    def __init__(self, order: Order) -> None:
        self.plan, self._share, self._order = order.plan, order.share, order
        self.tally = Tally()
        self.has_agents = order.share.agents > 0
        self._filler = _CHARACTER * (order.plan.text_bytes // _CHARACTER_BYTES)
        self._asked = 0
        self.open = 0
        """Connections that are up."""
        self.follows = 0
        """Conversations that an agent may follow."""
        self.visitors: dict[Visitor, None] = {}
        self._agents: list[Agent] = []
        self._slow: list[Slow] = []
        self._answers_owed = 0.0
        self._tokens = iter(order.tokens)
        self._names = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ending = False
        self._opener = Opener(order.url, order.plan.sources)
        self._refusals: dict[int, int] = {}
        """Close code → connections that ended before they were welcome."""
        self._departed: list[Visitor] = []
        """Visitors of a day whose connection was lost: something of theirs may still arrive."""

    # Coming.

    async def gather(self) -> None:
        """Bring everybody in. Raises `ConfigError` when there are too few agents, `StartError`
        when nobody gets in."""
        await self._opener.find()
        for _ in range(self._share.agents):
            self._agents.append(Agent(self, self._hello(self._order.ticket), now_us()))
        for _ in range(self._share.slow):
            token = self._order.ticket if self.has_agents else next(self._tokens)[0]
            self._slow.append(Slow(self, self._hello(token), now_us()))
        for person in (*self._agents, *self._slow):
            self._spawn(self._open(person))
        await self._until(lambda: all(map(_is_settled, (*self._agents, *self._slow))), _READY_S)
        self._check_agents()
        if self.plan.shape != "day":
            await self._gather_visitors()
        talked_about = [visitor.asks.conversation for visitor in self.visitors if visitor.is_ready]
        self._stop_reading(talked_about if self.has_agents else [])

    def _check_agents(self) -> None:
        if not self.has_agents:
            return
        if all(agent.is_over for agent in self._agents):
            raise StartError(f"{self._order.url} let no agent in{self._why()}.")
        each = -(-self._share.visitors // self._share.agents)
        if self.follows and each > self.follows:
            raise ConfigError(
                f"An agent may follow {self.follows} conversations here and would have {each}: "
                f"give at least --agents {-(-self.plan.visitors // self.follows)}."
            )

    async def _gather_visitors(self) -> None:
        start_us = now_us()
        for due_us in ramp_us(self.plan, self._share):
            wait_us = start_us + due_us - now_us()
            if wait_us > 0:
                await asyncio.sleep(wait_us / 1e6)
            self.come(start_us + due_us)
        await self._until(lambda: all(map(_is_settled, self.visitors)), _READY_S)
        if not any(visitor.is_ready for visitor in self.visitors):
            raise StartError(f"{self._order.url} let no visitor in{self._why()}.")

    def _why(self) -> str:
        codes = ", ".join(f"{code} to {times}" for code, times in self._refusals.items())
        return f": it closed with {codes}" if codes else " or does not answer as Qingniao does"

    def come(self, due_us: int, to_say: int = 0) -> Visitor:
        """One more visitor connects; after `to_say` messages they leave, if it is not 0."""
        token, conversation = next(self._tokens)
        agents = [agent for agent in self._agents if not agent.is_over] or self._agents
        agent = agents[conversation % len(agents)] if agents else None
        visitor = Visitor(self, self._hello(token), due_us, conversation, agent)
        visitor.to_say = to_say
        self.visitors[visitor] = None
        self._spawn(self._open(visitor))
        return visitor

    def _stop_reading(self, conversations: list[int]) -> None:
        count = min(self.plan.slow_follows, len(conversations))
        for number, person in enumerate(self._slow):
            first = number * count
            chosen = [conversations[(first + k) % len(conversations)] for k in range(count)]
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
            self._refusals[code] = self._refusals.get(code, 0) + 1
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
        head = f"{number} "
        characters, rest = divmod(self.plan.text_bytes - len(head), _CHARACTER_BYTES)
        return head + self._filler[:characters] + "." * rest

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

    # The end.

    async def settle(self) -> None:
        """Wait for what is under way, look at the slow readers, and count what did not arrive."""
        await self._until(lambda: not any(map(_is_waiting, self.visitors)), _SETTLE_S)
        for person in self._slow:
            person.read_on()
        await self._until(lambda: all(person.is_over for person in self._slow), _SLOW_S)
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
