"""The bus as several processes see it, on every engine. Owns which engines the suites run on.

Rule: each call of the fixture is one more process of the same installation; in memory there is only
one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

import pytest

from qingniao.auth import RateLimit, SignInLimit
from qingniao.bus.base import Fanout, Presence, RateLimits, SignInLimits, WorkQueue
from qingniao.bus.memory import (
    MemoryFanout,
    MemoryPresence,
    MemoryRateLimits,
    MemorySignInLimits,
    MemoryWorkQueue,
)
from qingniao.bus.redis import RedisBus
from qingniao.config import BusConfig
from qingniao.servers.redis_arrangements import RedisServers

_installations = count()


class MemoryBus:
    """The parts of `RedisBus` in memory."""

    def __init__(self, waiting: int) -> None:
        self.fanout: Fanout = MemoryFanout()
        self.queue: WorkQueue = MemoryWorkQueue(waiting)
        self.presence: Presence = MemoryPresence()

    def rate_limits(
        self, name: str, *, per_s: float, burst: int, clock: Callable[[], int]
    ) -> RateLimits:
        return MemoryRateLimits(RateLimit(per_s=per_s, burst=burst, clock=clock))

    def sign_in_limits(self, clock: Callable[[], int]) -> SignInLimits:
        return MemorySignInLimits(SignInLimit(clock=clock))


Bus = MemoryBus | RedisBus
Join = Callable[[], Awaitable[Bus]]


def processes(servers: RedisServers, stack: AsyncExitStack, **settings: int) -> Join:
    """Each call opens the bus of one more process of a new installation."""
    config = BusConfig(url=servers.url, prefix=f"t{next(_installations)}", **settings)  # type: ignore[arg-type]

    async def join() -> RedisBus:
        bus = RedisBus(config)
        await bus.open()
        stack.push_async_callback(bus.close)
        return bus

    return join


@pytest.fixture(params=["memory", "standalone", "cluster", "valkey"])
def bus_servers(request: pytest.FixtureRequest) -> RedisServers | None:
    """What the bus runs on; `None` for memory."""
    if request.param == "memory":
        return None
    servers: RedisServers = request.getfixturevalue(f"redis_{request.param}")
    return servers


@pytest.fixture
async def join(bus_servers: RedisServers | None) -> AsyncIterator[Join]:
    """One more process, on each engine."""
    if bus_servers is None:
        only = MemoryBus(100_000)

        async def same() -> Bus:
            return only

        yield same
        return
    async with AsyncExitStack() as stack:
        yield processes(bus_servers, stack)
