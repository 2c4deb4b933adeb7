"""How the cost of a durable message grows: with the rate, the connections, a conversation, the log.

The server's CPU per message (all of its process, one core) for messages between people at a paced
rate, the generator (`native/talk.c`) on the other core. One thing grows at a time: the rate; idle
connections beside the talking ones; how long the conversations are; how much the log holds. Each
slope is a least-squares line through the points, which are reported too. The goals are the house's
own: none of the three should matter before everything else has run out.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from bench.gateway_cost import compiled, cpu_s, pin
from bench.gateway_idle import connect_idle
from bench.native.generator import FIRST, Talk, lasting_ticket, parties
from bench.native.witness import rss_bytes
from bench.run import Goal
from qingniao.auth import KeyRing, Signer
from qingniao.errors import StartError
from qingniao.replay.house import Api, OwnServer

__all__ = ["GOALS", "measure", "slope"]

GOALS: Final = {
    "us_per_10000_connections": Goal("<=", 2),
    "us_per_million_stored": Goal("<=", 2),
    "us_per_10000_length": Goal("<=", 2),
}

_SETTINGS: Final = {
    "QINGNIAO_LOG_LEVEL": "error",
    "QINGNIAO_WIRE_RATE": "1000000",
    "QINGNIAO_WIRE_AGENT_RATE": "1000000",
    # One agent has all conversations here, each on a connection of its own.
    "QINGNIAO_GATEWAY_CONNECTIONS_EACH": "1000",
}
_PAIRS: Final = 500
_FEW: Final = 20
"""Pairs whose conversations become long."""
_RATE: Final = 5_000
"""Messages a second wherever the rate is not what grows."""
_RATES: Final = (1_000, 5_000, 10_000, 20_000, 40_000)
_IDLE: Final = 7_000
"""Idle connections in each of two groups."""
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
    """The server, and the points so far."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self._folder = folder
        self._look_s = 2 if quick else 8
        self._grow_s = 2 if quick else 25
        self._group = 500 if quick else _IDLE
        self._pid = self._port = self._stored = 0
        self._results: dict[str, object] = {}

    async def run(self) -> Mapping[str, object]:
        """Everything in turn; the log grows all the time, which is measured last."""
        program = compiled(self._folder)
        async with AsyncExitStack() as stack:
            data = self._folder / "data"
            server = await stack.enter_async_context(OwnServer(_SETTINGS, data))
            if server.process is None:
                raise StartError("The server did not start.")
            self._pid, self._port = server.process.pid, int(server.url.rpartition(":")[2])
            api = Api(server.url)
            await api.sign_in("admin", server.password, "bench-bench-7391")
            signer = Signer(KeyRing.open(data / "keys"))
            ticket = lasting_ticket(signer, await api.ticket())
            pin(self._pid, 0)
            many = self._people("many", parties(signer, ticket, _PAIRS, _PAIRS, FIRST))
            few = self._people("few", parties(signer, ticket, _FEW, _FEW, _FEW_FIRST))
            async with Talk(program, self._port, many) as talk:
                await talk.ask("prepare", 60)
                await asyncio.sleep(1)
                await self._rate(talk)
                await self._connections(program, signer, talk)
                await self._history(talk)
            async with Talk(program, self._port, few) as talk:
                await talk.ask("prepare", 60)
                await asyncio.sleep(1)
                await self._length(talk)
        return self._results

    def _people(self, name: str, lines: str) -> Path:
        path = self._folder / name
        path.write_text(lines)
        return path

    async def _look(self, talk: Talk, rate: int = _RATE) -> float:
        """Microseconds of CPU per message at a rate."""
        talk.tell(f"pace {rate}")
        await talk.ask("measure", 1)  # what came before is made up
        before = cpu_s(self._pid)
        seen: dict[str, Any] = await talk.ask("measure", self._look_s)
        used = cpu_s(self._pid) - before
        talk.tell("pace 0")
        self._stored += seen["acked"]
        return round(used / seen["acked"] * 1e6, 2)

    async def _grow(self, talk: Talk) -> None:
        """As much as the server takes."""
        grown = await talk.ask(f"closed {_WINDOW}", self._grow_s)
        self._stored += grown["acked"]
        await asyncio.sleep(3)  # lists and sums catch up

    async def _rate(self, talk: Talk) -> None:
        points = [(rate, await self._look(talk, rate)) for rate in _RATES]
        self._note("us_at_{}_per_s", points)

    async def _connections(self, program: Path, signer: Signer, talk: Talk) -> None:
        idle_s = 4 * self._look_s + 60
        first = _IDLE_FIRST
        points = [(2 * _PAIRS, await self._look(talk))]
        async with AsyncExitStack() as stack:
            for _ in range(2):
                child = await connect_idle(
                    program, self._port, self._folder, signer, first, self._group, idle_s
                )
                stack.callback(child.kill)
                first += self._group
                points.append((points[-1][0] + self._group, await self._look(talk)))
        self._note("us_at_{}_connections", points)
        self._results["us_per_10000_connections"] = round(slope(points) * 10_000, 3)

    async def _history(self, talk: Talk) -> None:
        points = []
        for _ in range(3):
            points.append((self._stored, await self._look(talk)))
            await self._grow(talk)
        points.append((self._stored, await self._look(talk)))
        self._number("history", points)
        self._results["us_per_million_stored"] = round(slope(points) * 1e6, 3)
        self._results["rss_mb"] = round(rss_bytes(self._pid) / 1e6, 1)

    async def _length(self, talk: Talk) -> None:
        start = self._stored
        points = []
        for _ in range(3):
            points.append(((self._stored - start) / _FEW, await self._look(talk)))
            await self._grow(talk)
        points.append(((self._stored - start) / _FEW, await self._look(talk)))
        self._number("length", points)
        self._results["us_per_10000_length"] = round(slope(points) * 10_000, 3)

    def _note(self, name: str, points: Sequence[tuple[float, float]]) -> None:
        for at, cost in points:
            self._results[name.format(round(at))] = cost

    def _number(self, name: str, points: Sequence[tuple[float, float]]) -> None:
        for number, (at, cost) in enumerate(points):
            self._results[f"{name}_{number}"] = round(at)
            self._results[f"{name}_{number}_us"] = cost
