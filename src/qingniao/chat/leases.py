"""One at a time, among all processes: the port that says who. Engines: `storage/leases_memory.py`
for one process, `storage/leases_postgres.py` for many.

Rule: a lease makes double work rare, it never makes it harmless. A holder may be stopped in the
middle of anything and go on after its time; what it submits then is decided against the head.
"""

from typing import Protocol

__all__ = ["Leases"]


class Leases(Protocol):
    """Names, each held by one holder until its time is over. Times are the store's, never ours."""

    async def take(self, name: str, holder: str, ttl_s: float) -> int:
        """Take the lease, or keep it, for `ttl_s` seconds from now. `holder` is one process's.

        Returns the term, which goes up whenever the lease changes hands; 0 while somebody else
        holds it. Raises `StorageError`: then it is not known who holds it.
        """
        ...

    async def give_up(self, name: str, holder: str) -> None:
        """Let the next one have it at once; nothing if somebody else holds it. Raises
        `StorageError`."""
        ...
