"""The bus over Redis or Valkey: one server, behind sentinels, or a cluster. Owns its parts.

Refuses to be needed: with all of Redis gone its parts go on within the process, and say so. Rule:
what is opened here is closed here, and every task belongs to one of the parts.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from qingniao.auth import RateLimit, SignInLimit
from qingniao.bus.redis_fanout import RedisFanout
from qingniao.bus.redis_limits import RedisRateLimits, RedisSignInLimits
from qingniao.bus.redis_presence import RedisPresence
from qingniao.bus.redis_servers import RedisServers
from qingniao.bus.redis_streams import WorkStreams
from qingniao.bus.redis_url import parse_url
from qingniao.bus.redis_work import RedisWorkQueue
from qingniao.clock import Clock
from qingniao.config import BusConfig
from qingniao.errors import ConfigError
from qingniao.metrics import Reading

__all__ = ["RedisBus"]

_LAST_WORDS_S: Final = 0.5
"""For what was said at the end to leave: it is worth no more waiting."""


class RedisBus:
    """One per process: `fanout`, `queue`, `presence` and limits, over the same connections."""

    def __init__(self, config: BusConfig, *, work_waiting: int = 100_000) -> None:
        """Raises `ConfigError`."""
        deadline_s, prefix = config.deadline_ms / 1000, config.prefix
        if not prefix or set(prefix) & set("{}: \r\n"):
            raise ConfigError("bus.prefix must be a word without braces, colons and spaces.")
        self._config = config
        self._deadline_s = deadline_s
        self.servers = RedisServers(parse_url(config.url), deadline_s)
        self.fanout = RedisFanout(
            self.servers, prefix=prefix, waiting=config.waiting, deadline_s=deadline_s
        )
        name, outgoing = self.fanout.name, self.fanout.outgoing
        streams = WorkStreams(
            self.servers, outgoing, name=name, prefix=prefix, shards=config.shards,
            waiting=work_waiting, claim_s=config.claim_ms / 1000, tries=config.tries,
            deadline_s=deadline_s,
        )  # fmt: skip
        self.queue = RedisWorkQueue(streams)
        self.presence = RedisPresence(
            self.servers, outgoing, name=name, prefix=prefix, deadline_s=deadline_s
        )
        self._looking: asyncio.Task[None] | None = None

    def rate_limits(self, name: str, *, per_s: float, burst: int, clock: Clock) -> RedisRateLimits:
        """`name` keeps what is counted apart."""
        return RedisRateLimits(
            self.servers, prefix=f"{self._config.prefix}:l:{name}", per_s=per_s, burst=burst,
            own=RateLimit(per_s=per_s, burst=burst, clock=clock), deadline_s=self._deadline_s,
        )  # fmt: skip

    def sign_in_limits(self, clock: Clock) -> RedisSignInLimits:
        """See `bus.base.SignInLimits`."""
        return RedisSignInLimits(
            self.servers, prefix=f"{self._config.prefix}:l:sign-in",
            own=SignInLimit(clock=clock), deadline_s=self._deadline_s,
        )  # fmt: skip

    @property
    def degraded(self) -> Sequence[str]:
        """`("bus",)` while some of it is away, for `/healthz`."""
        return () if self.servers.is_whole and self.fanout.is_whole else ("bus",)

    async def open(self) -> None:
        """Find the servers; one that is away is looked for from now on. Raises `ConfigError`."""
        await self.servers.open()
        self._looking = asyncio.get_running_loop().create_task(self.servers.run())
        await self.fanout.open()
        await self.presence.open()

    async def close(self) -> None:
        """Give back work, say goodbye, let go. Idempotent; takes half a second at most."""
        if self._looking is None:
            return
        looking, self._looking = self._looking, None
        await self.queue.close()
        await self.presence.close()
        await self.fanout.close(_LAST_WORDS_S)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await self.servers.close()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        servers = self.servers
        yield "gauge", "bus_connected", "Is there a link for every slot?", float(servers.is_whole)
        yield "counter", "bus_reconnects", "Links to Redis that were made.", servers.reconnects
        yield "counter", "bus_moves", "Commands that met a server that had moved.", servers.moves
        yield from self.fanout.readings()
        yield from self.queue.readings()
        yield from self.presence.readings()
