"""How often somebody may try. Owns bounded tables of recent tries, in memory.

Rule: a try is counted before it is judged, so that a hundred tries at once are a hundred tries.
Each table holds at most `capacity` keys and forgets the one silent for longest (`drop_oldest`); a
restart forgives everybody. Time comes in as milliseconds.
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

__all__ = ["RateLimit", "SignInLimit", "network_of"]

_CAPACITY: Final = 10_000


def network_of(address: str) -> str:
    """What counts as one origin: an IPv4 address, or the /64 that one IPv6 customer is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{parsed.exploded[:19]}::/64"


class RateLimit:
    """A token bucket per key: `per_s` on average, `burst` at once."""

    def __init__(
        self,
        *,
        per_s: float,
        burst: int,
        clock: Callable[[], int],
        capacity: int = _CAPACITY,
    ) -> None:
        if per_s <= 0 or burst < 1 or capacity < 1:
            raise ValueError("per_s, burst and capacity must be positive")
        self._per_ms = per_s / 1000
        self._burst = float(burst)
        self._clock = clock
        self._capacity = capacity
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str) -> int:
        """Count one. 0: go ahead. Otherwise: not now, and in how many milliseconds."""
        now = self._clock()
        left, at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + max(0, now - at) * self._per_ms)
        wait = 0 if left >= 1 else max(1, int((1 - left) / self._per_ms))
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return wait


class SignInLimit:
    """Wrong passwords cost time, per origin and per login; the delay doubles with each.

    The first tries are free: people mistype. A login's delay stays short, because anybody may
    provoke it and its owner must still get in; an origin's grows to a quarter of an hour.
    """

    FREE: Final = 5
    ADDRESS_MAX_MS: Final = 15 * 60 * 1000
    LOGIN_MAX_MS: Final = 60 * 1000
    FORGET_MS: Final = 60 * 60 * 1000

    def __init__(self, *, clock: Callable[[], int], capacity: int = _CAPACITY) -> None:
        if capacity < 2:
            raise ValueError("capacity must be at least 2")
        self._clock = clock
        self._capacity = capacity
        self._tries: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def attempt(self, address: str, login: str) -> int:
        """Count a try. 0: go ahead. Otherwise: refused, try again in that many milliseconds."""
        now = self._clock()
        keys = self._keys(address, login)
        waits = [self._wait(key, longest, now) for key, longest in keys]
        if any(waits):
            return max(waits)
        for key, _ in keys:
            count, _ = self._tries.pop(key, (0, 0))
            self._tries[key] = (count + 1, now)
        while len(self._tries) > self._capacity:
            self._tries.popitem(last=False)
        return 0

    def succeeded(self, address: str, login: str) -> None:
        """The password was right: its tries are forgiven.

        The origin gets this one try back, not all of them: an attacker with an account of their
        own could otherwise wash an address clean between guesses at others.
        """
        by_address, by_login = (key for key, _ in self._keys(address, login))
        self._tries.pop(by_login, None)
        count, at = self._tries.get(by_address, (0, 0))
        if count > 1:
            self._tries[by_address] = (count - 1, at)
        else:
            self._tries.pop(by_address, None)

    def _keys(self, address: str, login: str) -> tuple[tuple[str, int], tuple[str, int]]:
        return (
            (f"address {network_of(address)}", self.ADDRESS_MAX_MS),
            (f"login {login.strip().casefold()[:64]}", self.LOGIN_MAX_MS),
        )

    def _wait(self, key: str, longest: int, now: int) -> int:
        count, at = self._tries.get(key, (0, 0))
        since = max(0, now - at)
        if since >= self.FORGET_MS:
            self._tries.pop(key, None)
            return 0
        if count < self.FREE:
            return 0
        delay = min(longest, 1000 << min(count - self.FREE, 20))
        return max(0, delay - since)
