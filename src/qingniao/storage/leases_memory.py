"""Leases of one process: nobody else is there, but two holders within it are still two.

Owns who holds what; refuses to be shared. Rule: time is the event loop's, which never goes back.
"""

import asyncio

from msgspec import Struct

__all__ = ["MemoryLeases"]


class _Lease(Struct):
    holder: str
    term: int
    until: float


class MemoryLeases:
    """`chat.leases.Leases` in memory."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    async def take(self, name: str, holder: str, ttl_s: float) -> int:
        """See `Leases.take`."""
        now = asyncio.get_running_loop().time()
        lease = self._leases.setdefault(name, _Lease("", 0, now))
        is_over = lease.until <= now
        if lease.holder != holder and not is_over:
            return 0
        if lease.holder != holder or is_over:
            lease.term += 1
        lease.holder, lease.until = holder, now + ttl_s
        return lease.term

    async def give_up(self, name: str, holder: str) -> None:
        """See `Leases.give_up`."""
        lease = self._leases.get(name)
        if lease is not None and lease.holder == holder:
            lease.until = asyncio.get_running_loop().time()
