"""Visitors with the bot, visitors with people, and those people, all talking at once.

Owns who talks with whom, and the comparison when all is over; refuses to know of any fault. Rule:
the log is read back by devices that were not there.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final

from msgspec import Struct

from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api
from qingniao.testing.history import History, violations
from qingniao.testing.outcomes import bot_violations
from qingniao.testing.seat import Record, Seat, history_of, until
from qingniao.testing.servers import Reachable, hire

__all__ = ["Load", "Outcome", "Size"]

_WINDOWS: Final = (1, 3, 8, 40)
"""Unacked messages of each sender at a time; the last is above the server's credit."""
_LOOK_S: Final = 0.25
_SETTLED_S: Final = 60.0


class Size(Struct, frozen=True, kw_only=True):
    """How many talk. `pause_s` between two sends of one sender bounds how much there is to compare;
    0: as fast as acks come. `longer_chars` are added to every text."""

    by_bot: int = 4
    by_people: int = 4
    agents: int = 2
    pause_s: float = 0.0
    longer_chars: int = 0


class Outcome(Struct, kw_only=True):
    """What came of a scenario. `figures`: what it counts beside; silences and starts in seconds."""

    violations: list[str]
    sent: int
    acked: int
    entries: int
    connections: int
    silence_s: float
    figures: dict[str, float] = {}

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:g}" for name, value in self.figures.items())
        return (
            f"{self.sent} sent, {self.acked} acked, {self.entries} entries, {self.connections} "
            f"connections, longest silence {self.silence_s:.1f} s; {figures}"
        )


class Load:
    """`async with load.open(server), load.talking(): …` and then `await load.outcome(server)`."""

    def __init__(self, size: Size | None = None) -> None:
        self.size = size or Size()
        self.stop = asyncio.Event()
        self.visitors: dict[int, Seat] = {}
        self.agents: list[Seat] = []
        self.owned: dict[int, Seat] = {}
        self.tabs: list[Seat] = []
        """Second tabs, closed when the server dies under them: nobody sends their rest again."""
        self.guests: list[tuple[int, Record]] = []
        """What others, in processes of their own, recorded of a conversation."""
        self.silence_s = 0.0

    @property
    def seats(self) -> list[Seat]:
        """Everybody who ever talked."""
        return [*self.visitors.values(), *self.agents, *self.tabs]

    @property
    def acked(self) -> int:
        """Texts acked so far."""
        return sum(seat.acked for seat in self.seats)

    @contextlib.asynccontextmanager
    async def open(
        self, server: Reachable, url: str = "", staff: Sequence[Api] = ()
    ) -> AsyncIterator[None]:
        """Bring everybody in, by `url` if the way there is not the server's own, and give people
        their conversations. `staff` was hired before; without it, it is now."""
        url = url or server.url
        async with contextlib.AsyncExitStack() as stack:
            for number, api in enumerate(staff or await hire(server, self.size.agents)):
                agent = Seat(url, f"agent{number}", api.ticket)
                self.agents.append(agent)
                await stack.enter_async_context(agent.client)
                await agent.client.ready()
            for number in range(self.size.by_bot + self.size.by_people):
                token, conversation = await Api(server.url).visitor()
                visitor = self.visitors[conversation] = Seat(url, f"visitor{number}", token)
                await stack.enter_async_context(visitor.client)
                await visitor.client.ready()
                if number >= self.size.by_bot:
                    await visitor.client.send(conversation, {"do": "handoff"}, EntryType.ACTION)
                    agent = self.agents[number % self.size.agents]
                    await agent.client.send(conversation, {"do": "take"}, EntryType.ACTION)
                    agent.client.follow(conversation)
                    self.owned[conversation] = agent
            yield

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Everybody talks and looks back while the body runs, and settles afterwards: what is
        unacked is acked, and the bot has dealt with every visitor's last words."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            parts = [tasks.create_task(part) for part in self._parts()]
            yield
            await self.acks(100)
            self.stop.set()
            async with asyncio.timeout(_SETTLED_S):
                await asyncio.gather(*parts)
            watching.cancel()
            await self._nothing_is_owed()

    async def acks(self, count: int, within_s: float = 60) -> None:
        """Wait for so many more acks."""
        goal = self.acked + count
        await until(lambda: self.acked >= goal, within_s)

    async def everybody(self, within_s: float = 60) -> None:
        """Wait until all visitors and agents are connected."""
        people = [*self.visitors.values(), *self.agents]
        await asyncio.gather(*(seat.client.ready(within_s) for seat in people))

    def _parts(self) -> list[Coroutine[Any, Any, None]]:
        parts = []
        pause_s, longer_chars = self.size.pause_s, self.size.longer_chars
        for number, (conversation, visitor) in enumerate(self.visitors.items()):
            window = _WINDOWS[number % len(_WINDOWS)]
            parts.append(
                visitor.talk(
                    conversation, window, self.stop, pause_s=pause_s, longer_chars=longer_chars
                )
            )
            if agent := self.owned.get(conversation):
                parts.append(
                    agent.talk(
                        conversation, window, self.stop, pause_s=pause_s, longer_chars=longer_chars
                    )
                )
        return [*parts, self._look_back()]

    async def _look_back(self) -> None:
        """Somebody, one after the other, reads what they just wrote."""
        turn = 0
        while not self.stop.is_set():
            conversations = list(self.visitors)
            conversation = conversations[turn % len(conversations)]
            await self.visitors[conversation].look(conversation)
            if agent := self.owned.get(conversation):
                await agent.look(conversation)
            turn += 1
            await asyncio.sleep(_LOOK_S)

    async def _watch(self) -> None:
        """How long nobody heard of any message."""
        began = time.monotonic()
        while True:
            last = max((seat.last_ack_at for seat in self.seats), default=0.0)
            self.silence_s = max(self.silence_s, time.monotonic() - max(last, began))
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def tab(self, url: str, conversation: int) -> AsyncIterator[None]:
        """Another device of a visitor, which does not come back."""
        tab = Seat(url, f"tab{len(self.tabs)}", self.visitors[conversation].token)
        tab.is_whole = False
        self.tabs.append(tab)
        async with tab.client:
            talking = asyncio.create_task(tab.talk(conversation, 8, asyncio.Event()))
            try:
                yield
            finally:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)

    async def _nothing_is_owed(self) -> None:
        def is_settled(conversation: int, seat: Seat) -> bool:
            last = seat.last_shown(conversation)
            is_answered = last is not None and last.sender == "b"
            return seat.client.states[conversation]["status"] != "bot" or is_answered

        for conversation, seat in self.visitors.items():
            if conversation not in self.owned:
                await until(lambda c=conversation, s=seat: is_settled(c, s), _SETTLED_S)  # type: ignore[misc]

    async def histories(self, server: Reachable) -> list[History]:
        """Every conversation, read back as an agent and as its visitor, on devices that are new.
        Nobody talks any more."""
        found: list[History] = []
        reader = Seat(server.url, "reader", self.agents[0].token)
        async with reader.client:
            for conversation, visitor in self.visitors.items():
                log = await reader.read(conversation)
                again = Seat(server.url, "again", visitor.token)
                async with again.client:
                    await again.look(conversation, pages=0, is_last=True)
                records = [seat.record(conversation) for seat in (*self.seats, again)]
                records += [record for where, record in self.guests if where == conversation]
                found.append(history_of(conversation, log, records))
        return found

    async def outcome(self, server: Reachable, **figures: float) -> Outcome:
        """Read everything back, and compare. Nobody talks any more."""
        histories = await self.histories(server)
        found: list[str] = []
        for history in histories:
            found += [*violations(history), *bot_violations(history.log)]
        seats = self.seats
        return Outcome(
            violations=found,
            sent=sum(len(texts) for seat in seats for texts in seat.said.values()),
            acked=self.acked,
            entries=sum(len(history.log) for history in histories),
            connections=sum(seat.client.connects for seat in seats),
            silence_s=round(self.silence_s, 2),
            figures=figures,
        )
