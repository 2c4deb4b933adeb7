"""Which bus there is: in memory for one process, on Redis for many.

Rule: both are opened here as the same set of parts, so that no room can tell them apart.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from qingniao.auth import RateLimit, SignInLimit
from qingniao.bus.base import Fanout, Presence, RateLimits, SignInLimits, WorkQueue
from qingniao.bus.memory import (
    MemoryFanout,
    MemoryPresence,
    MemoryRateLimits,
    MemorySignInLimits,
    MemoryWorkQueue,
)
from qingniao.clock import Clock
from qingniao.config import Config
from qingniao.errors import StartError
from qingniao.metrics import Reading

__all__ = ["Bus", "open_bus"]


class _MakeLimits(Protocol):
    def __call__(self, name: str, *, per_s: float, burst: int, clock: Clock) -> RateLimits: ...


@dataclass(frozen=True, kw_only=True)
class Bus:
    """The parts of an open bus."""

    fanout: Fanout
    queue: WorkQueue
    presence: Presence
    rate_limits: _MakeLimits
    """Limits counted by all processes together; `name` keeps what is counted apart."""
    sign_in_limits: Callable[[Clock], SignInLimits]
    degraded: Callable[[], Sequence[str]]
    """`("bus",)` while some of it is away."""
    readings: Callable[[], Iterable[Reading]]


async def open_bus(config: Config, stack: AsyncExitStack) -> Bus:
    """Redis if `bus.url` names one. Raises `StartError` or `ConfigError`; not when it is away."""
    if not config.bus.url:
        return _in_memory(config)
    try:
        from qingniao.bus.redis import RedisBus
    except ImportError as exc:
        raise StartError(
            "bus.url names Redis, and what speaks to it is not here: pip install "
            '"qingniao[cluster]".'
        ) from exc
    bus = RedisBus(config.bus, work_waiting=config.workers.waiting)
    stack.push_async_callback(bus.close)
    await bus.open()
    return Bus(
        fanout=bus.fanout, queue=bus.queue, presence=bus.presence, rate_limits=bus.rate_limits,
        sign_in_limits=bus.sign_in_limits, degraded=lambda: bus.degraded, readings=bus.readings,
    )  # fmt: skip


def _in_memory(config: Config) -> Bus:
    queue = MemoryWorkQueue(config.workers.waiting)

    def rate_limits(name: str, *, per_s: float, burst: int, clock: Clock) -> RateLimits:
        return MemoryRateLimits(RateLimit(per_s=per_s, burst=burst, clock=clock))

    return Bus(
        fanout=MemoryFanout(), queue=queue, presence=MemoryPresence(), rate_limits=rate_limits,
        sign_in_limits=lambda clock: MemorySignInLimits(SignInLimit(clock=clock)),
        degraded=lambda: (), readings=queue.readings,
    )  # fmt: skip
