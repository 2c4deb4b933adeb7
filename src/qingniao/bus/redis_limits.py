"""`bus.base.RateLimits` and `SignInLimits` that several processes share.

Owns the keys; the counting is one script each. Rule: while Redis is away every process counts for
itself, so that nobody is locked out and nobody may try without end.
"""

import asyncio
from hashlib import blake2b
from typing import Final

from qingniao.auth import RateLimit, SignInLimit, network_of
from qingniao.bus.redis_link import BusAway, RedisError, Word
from qingniao.bus.redis_scripts import FORGIVE, GCRA, TRY
from qingniao.bus.redis_servers import RedisServers

__all__ = ["RedisRateLimits", "RedisSignInLimits"]

_ALL: Final = 1_000_000


class _Shared:
    """Asks one script about one key."""

    def __init__(self, servers: RedisServers, prefix: str, deadline_s: float) -> None:
        self._servers = servers
        self._prefix = prefix
        self._deadline_s = deadline_s

    async def _ask(self, script: str, key: str, *words: Word) -> int:
        """Raises `BusAway`."""
        # Keys are origins and logins: neither their size nor their text is for a bus.
        name = blake2b(key.encode(), digest_size=12).hexdigest()
        where = f"{self._prefix}:{name}".encode()
        try:
            async with asyncio.timeout(self._deadline_s):
                said = await self._servers.ask(where, "EVAL", script, 1, where, *words)
        except TimeoutError as exc:
            raise BusAway from exc
        if isinstance(said, RedisError):
            raise BusAway(str(said))
        return int(said)


class RedisRateLimits(_Shared):
    """`per_s` on average, `burst` at once, over all processes."""

    def __init__(
        self,
        servers: RedisServers,
        *,
        prefix: str,
        per_s: float,
        burst: int,
        own: RateLimit,
        deadline_s: float,
    ) -> None:
        """`own` counts while Redis is away."""
        super().__init__(servers, prefix, deadline_s)
        self._each_ms = f"{1000 / per_s:.6f}"
        self._room_ms = f"{burst * 1000 / per_s:.6f}"
        self._own = own

    async def take(self, key: str) -> int:
        """See `RateLimits.take`."""
        try:
            return await self._ask(GCRA, key, self._each_ms, self._room_ms)
        except BusAway:
            return self._own.take(key)


class RedisSignInLimits(_Shared):
    """What `auth.SignInLimit` does, over all processes."""

    FORGET_MS: Final = SignInLimit.FORGET_MS

    def __init__(
        self, servers: RedisServers, *, prefix: str, own: SignInLimit, deadline_s: float
    ) -> None:
        """`own` counts while Redis is away."""
        super().__init__(servers, prefix, deadline_s)
        self._own = own

    async def attempt(self, address: str, login: str) -> int:
        """See `SignInLimits.attempt`."""
        try:
            keys = self._keys(address, login)
            waits = [await self._try(key, longest, counts=False) for key, longest in keys]
            if any(waits):
                return max(waits)
            # Counted before it is judged: of many at once each finds those before it.
            waits = [await self._try(key, longest, counts=True) for key, longest in keys]
            return max(waits)
        except BusAway:
            return self._own.attempt(address, login)

    async def succeeded(self, address: str, login: str) -> None:
        """See `SignInLimits.succeeded`."""
        self._own.succeeded(address, login)
        (by_address, _), (by_login, _) = self._keys(address, login)
        try:
            await self._ask(FORGIVE, by_login, _ALL)
            await self._ask(FORGIVE, by_address, 1)
        except BusAway:
            return  # forgotten within the hour in any case

    async def _try(self, key: str, longest_ms: int, *, counts: bool) -> int:
        return await self._ask(
            TRY, key, SignInLimit.FREE, longest_ms, self.FORGET_MS, "1" if counts else "0"
        )

    def _keys(self, address: str, login: str) -> tuple[tuple[str, int], tuple[str, int]]:
        return (
            (f"address {network_of(address)}", SignInLimit.ADDRESS_MAX_MS),
            (f"login {login.strip().casefold()[:64]}", SignInLimit.LOGIN_MAX_MS),
        )
