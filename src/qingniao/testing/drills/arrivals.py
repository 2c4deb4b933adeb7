"""Visitors who keep coming and ask for a person, and the desk that serves them.

Owns what one newcomer does from the first word to the last; refuses to give anybody to anybody:
that is what is tested. Rule: everything is recorded as for the others, and nobody is given up.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from qingniao.errors import StartError
from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api
from qingniao.testing.history import History
from qingniao.testing.seat import Seat, history_of, until

__all__ = ["Arrivals"]

_AT_ONCE: Final = 8
"""Newcomers who are here at the same time: the desk has room for 12."""
_AGAIN_S: Final = 0.3
_SERVED_S: Final = 90.0


class Arrivals:
    """`staff` are agents who take what they are given, by their numbers."""

    def __init__(self, url: str, staff: dict[int, Api], *, every_s: float) -> None:
        self._url = url
        self._every_s = every_s
        self.desk = {
            number: Seat(url, f"desk{number}", api.ticket) for number, api in staff.items()
        }
        self.newcomers: dict[int, Seat] = {}
        """By conversation."""
        self.turned_away = 0
        """Times that somebody could not even come in, and was told."""
        self.unserved: list[str] = []
        self.wait_s = 0.0
        """The longest that somebody waited for a person."""
        self._room = asyncio.Semaphore(_AT_ONCE)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The desk is staffed, and visitors come while the body runs; those who came are served
        before it ends."""
        stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            for seat in self.desk.values():
                await stack.enter_async_context(seat.client)
            for seat in self.desk.values():
                await seat.client.ready()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._come(tasks, stop))
                try:
                    yield
                finally:
                    stop.set()

    async def _come(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            await self._room.acquire()
            tasks.create_task(self._visit(number, stop)).add_done_callback(
                lambda _: self._room.release()
            )
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await stop.wait()

    async def _visit(self, number: int, stop: asyncio.Event) -> None:
        while True:
            try:
                token, conversation = await Api(self._url).visitor()
                break
            except StartError:
                self.turned_away += 1
                if stop.is_set():
                    return
                await asyncio.sleep(_AGAIN_S)
        seat = self.newcomers[conversation] = Seat(self._url, f"newcomer{number}", token)
        async with seat.client:
            try:
                async with asyncio.timeout(_SERVED_S):
                    await self._be_served(conversation, seat)
            except TimeoutError:
                state = seat.client.states.get(conversation, {})
                self.unserved.append(
                    f"Conversation {conversation} is {state.get('status')} and not served in "
                    f"{_SERVED_S:g} s; its visitor was told of the queue: {state.get('queue')}."
                )

    async def _be_served(self, conversation: int, seat: Seat) -> None:
        client = seat.client
        began = time.monotonic()
        await client.send(conversation, {"do": "handoff"}, EntryType.ACTION)

        def status() -> object:
            return client.states.get(conversation, {}).get("status")

        await until(lambda: status() == "open", _SERVED_S)
        self.wait_s = max(self.wait_s, time.monotonic() - began)
        agent = self.desk[client.states[conversation]["assignee"]["id"]]
        agent.client.follow(conversation)
        await agent.say(conversation, f"您好 {agent.name}-{conversation}")
        await until(lambda: conversation in seat.delivered_at, _SERVED_S)
        await agent.client.send(conversation, {"do": "close"}, EntryType.ACTION)
        await until(lambda: status() == "closed", _SERVED_S)
        last = client.states[conversation]["last"]
        # Who has it may be told before the entry that says so.
        for one in (client, agent.client):
            await until(lambda one=one: one.cursors[conversation] >= last, _SERVED_S)  # type: ignore[misc]

    async def histories(self, url: str, reader: Api) -> list[History]:
        """Every newcomer's conversation, read back by somebody who was not there."""
        found = []
        back = Seat(url, "back", reader.ticket)
        async with back.client:
            for conversation, seat in self.newcomers.items():
                log = await back.read(conversation)
                records = [s.record(conversation) for s in (seat, *self.desk.values())]
                found.append(history_of(conversation, log, records))
        return found

    @property
    def seats(self) -> Sequence[Seat]:
        """The desk and everybody who came."""
        return [*self.desk.values(), *self.newcomers.values()]
