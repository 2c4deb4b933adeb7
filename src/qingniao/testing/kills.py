"""SIGKILL, again and again, under load and during starts."""

import asyncio
import random
import statistics
import time

from msgspec import Struct

from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.seat import until
from qingniao.testing.servers import LOADED, Start, stop_hard

__all__ = ["KillSize", "kill_under_load"]

_DURING_START = 6
"""Every so many kills, another one hits the start after it."""


class KillSize(Struct, frozen=True, kw_only=True):
    """How often."""

    kills: int = 10
    seed: int = 20261123
    load: Size = Size()


async def kill_under_load(start: Start, size: KillSize) -> Outcome:
    """The server dies at any moment, and once in a while while it is starting: what it repairs then
    must survive that too."""
    chance = random.Random(size.seed)  # noqa: S311  the same kills in every run
    server = await start(None, **LOADED)
    port = int(server.url.rpartition(":")[2])
    load = Load(size.load)
    starts: list[float] = []
    kills = 0
    async with load.open(server), load.talking():
        conversations = list(load.visitors)
        while kills < size.kills:
            async with load.tab(server.url, conversations[kills % size.load.by_bot]):
                if kills % _DURING_START == _DURING_START - 1:
                    await stop_hard(server)
                    starting = asyncio.create_task(server.start(port))
                    await asyncio.wait([starting], timeout=chance.uniform(0, max(starts)))
                    await stop_hard(server)
                    await asyncio.gather(starting, return_exceptions=True)
                else:
                    if kills % 2:
                        # An agent needs a ticket first: visitors alone would die before they come.
                        await load.everybody()
                    goal = load.acked + chance.choice((0, 1, chance.randrange(2, 300)))
                    await until(lambda goal=goal: load.acked >= goal)  # type: ignore[misc]
                    await stop_hard(server)
            kills += 1
            began = time.perf_counter()
            await server.start(port)
            starts.append(time.perf_counter() - began)
    return await load.outcome(
        server,
        kills=kills,
        start_median_s=round(statistics.median(starts), 2),
        start_slowest_s=round(max(starts), 2),
    )
