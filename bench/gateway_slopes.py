"""How the cost of a durable message grows: with the rate, the connections, a conversation, the log.

The server's CPU per message (all of its process, one core) for messages between people at a paced
rate, the generator (`native/talk.c`) on the other core. One thing grows at a time: the rate; idle
connections beside the talking ones; how long the conversations are; how much the log holds. Each
slope is a least-squares line through the points, which are reported too. The goals are the house's
own: none of the three should matter before everything else has run out.

Believe the slopes of a machine that nobody else uses: a server that has to wait for its core takes
more at once, each message gets cheaper, and a slope may even fall. Two looks at the same thing
differ by some microseconds.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from bench.gateway_cost import compiled, cpu_s, pin
from bench.gateway_idle import connect_idle
from bench.native.generator import FIRST, Talk, parties
from bench.native.house import ANY_RATE, ONE_AGENT, House, opened
from bench.native.witness import counter, rss_bytes
from bench.run import Goal
from qingniao.errors import StartError

__all__ = ["GOALS", "measure", "slope"]

GOALS: Final = {
    "us_per_10000_connections": Goal("<=", 2),
    "us_per_million_stored": Goal("<=", 2),
    "us_per_10000_length": Goal("<=", 2),
}

_PAIRS: Final = 500
_FEW: Final = 20
"""Pairs whose conversations become long."""
_RATE: Final = 5_000
"""Messages a second wherever the rate is not what grows."""
_RATES: Final = (1_000, 5_000, 10_000, 20_000, 40_000)
_IDLE: Final = 7_000
"""Idle connections in each of two groups."""
_GROWN: Final = 3
"""Times that the log, or a conversation, is let grow."""
_WINDOW: Final = 8
_IDLE_FIRST: Final = 3_000_000
_FEW_FIRST: Final = 5_000_000


def measure(quick: bool) -> Mapping[str, object]:
    """One server to which everything is added in turn."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_Slopes(Path(folder), quick).run())


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much y grows when x grows by one, by least squares."""
    count = len(points)
    x = sum(point[0] for point in points) / count
    y = sum(point[1] for point in points) / count
    spread = sum((point[0] - x) ** 2 for point in points)
    return sum((point[0] - x) * (point[1] - y) for point in points) / spread


class _Slopes:
    """The house, and the points so far."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self._folder = folder
        self._look_s = 2 if quick else 8
        self._grow_s = 2 if quick else 25
        self._group = 500 if quick else _IDLE
        self._stored = 0
        self._results: dict[str, object] = {}

    async def run(self) -> Mapping[str, object]:
        """Everything in turn; the log grows all the time, which is measured last."""
        program = compiled(self._folder)
        async with opened(self._folder / "data", ONE_AGENT | ANY_RATE) as house:
            pin(house.pid, 0)
            async with self._talking(program, house, _PAIRS, FIRST) as talk:
                await self._rate(house, talk)
                await self._connections(program, house, talk)
                per_entry = await self._growing("history", house, talk)
                self._results["us_per_million_stored"] = round(per_entry * 1e6, 3)
                self._results["rss_mb"] = round(rss_bytes(house.pid) / 1e6, 1)
            async with self._talking(program, house, _FEW, _FEW_FIRST) as talk:
                per_entry = await self._growing("length", house, talk, self._stored, _FEW)
                self._results["us_per_10000_length"] = round(per_entry * 10_000, 3)
        return self._results

    @asynccontextmanager
    async def _talking(
        self, program: Path, house: House, pairs: int, first: int
    ) -> AsyncIterator[Talk]:
        people = self._folder / f"people-{first}"
        people.write_text(parties(house.signer, house.ticket, pairs, pairs, first))
        async with Talk(program, house.port, people) as talk:
            ready = await talk.ask("prepare", 60)
            if ready["prepared"] != pairs:
                raise StartError(f"Only {ready['prepared']} of {pairs} conversations began.")
            await asyncio.sleep(1)  # the assignment's and the list's share of the beginning
            yield talk

    async def _look(self, house: House, talk: Talk, rate: int = _RATE) -> float:
        """Microseconds of CPU per message at a rate."""
        talk.tell(f"pace {rate}")
        await talk.ask("measure", 1)  # what came before is made up
        before = cpu_s(house.pid)
        seen = await talk.ask("measure", self._look_s)
        used = cpu_s(house.pid) - before
        talk.tell("pace 0")
        self._stored += seen["acked"]
        return round(used / seen["acked"] * 1e6, 2)

    async def _rate(self, house: House, talk: Talk) -> None:
        for rate in _RATES:
            self._results[f"us_at_{rate}_per_s"] = await self._look(house, talk, rate)

    async def _connections(self, program: Path, house: House, talk: Talk) -> None:
        points: list[tuple[float, float]] = []
        held_s = 4 * self._look_s + 60
        async with AsyncExitStack() as stack:
            for number in range(3):
                if number:
                    first = _IDLE_FIRST + number * self._group
                    child = await connect_idle(
                        program, house.port, self._folder, house.signer, first, self._group, held_s
                    )
                    stack.push_async_callback(_ended, child)
                us = await self._look(house, talk)
                # As the server counts them: who was dropped meanwhile is not there.
                there = await counter(house.url, "connections")
                points.append((there, us))
                self._results[f"us_at_{there:.0f}_connections"] = us
        self._results["us_per_10000_connections"] = round(slope(points) * 10_000, 3)

    async def _growing(
        self, name: str, house: House, talk: Talk, since: int = 0, among: int = 1
    ) -> float:
        """The slope over what is stored, of all or `since` then in each `among` so many
        conversations, which grow as fast as the server takes it."""
        points: list[tuple[float, float]] = []
        for number in range(_GROWN + 1):
            at = (self._stored - since) / among
            points.append((at, await self._look(house, talk)))
            self._results[f"{name}_{number}"] = round(at)
            self._results[f"{name}_{number}_us"] = points[-1][1]
            if number < _GROWN:
                grown = await talk.ask(f"closed {_WINDOW}", self._grow_s)
                self._stored += grown["acked"]
                await asyncio.sleep(3)  # lists and sums catch up
        return slope(points)


async def _ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
