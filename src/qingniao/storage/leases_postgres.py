"""Leases in PostgreSQL: one row each, beside the message log.

Owns the table `messages.leases`; refuses to know what they are for. Rule: only the database's clock
says whether a lease is over, for those of the processes may be minutes apart.
"""

from typing import Final

from qingniao.storage.postgres_connections import Connections
from qingniao.storage.postgres_schema import open_schema

__all__ = ["PostgresLeases"]

_DEADLINE_S: Final = 5.0
_CONNECTIONS: Final = 1

_TAKE: Final = """
INSERT INTO messages.leases AS l
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder,
    until = clock_timestamp() + make_interval(secs => $3),
    term = l.term + (l.holder <> $2 OR l.until <= clock_timestamp())::int
WHERE l.holder = $2 OR l.until <= clock_timestamp()
RETURNING l.term
"""
_GIVE_UP: Final = """
UPDATE messages.leases SET until = clock_timestamp()
WHERE name = $1 AND holder = $2 AND until > clock_timestamp()
"""


class PostgresLeases:
    """`chat.leases.Leases` for any number of processes. Make it with `open`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @classmethod
    async def open(cls, url: str, *, deadline_s: float = _DEADLINE_S) -> "PostgresLeases":
        """Connect, with one connection. Raises `StartError`."""
        connections = Connections(url, size=_CONNECTIONS, deadline_s=deadline_s)
        leases = cls(connections)
        try:
            await connections.open()
            await open_schema(connections)
        except BaseException:
            await leases.close()
            raise
        return leases

    async def take(self, name: str, holder: str, ttl_s: float) -> int:
        """See `Leases.take`."""
        rows = await self._connections.fetch(_TAKE, name, holder, ttl_s)
        return int(rows[0][0]) if rows else 0

    async def give_up(self, name: str, holder: str) -> None:
        """See `Leases.give_up`."""
        await self._connections.fetch(_GIVE_UP, name, holder)

    async def close(self) -> None:
        """Let go of the connection; leases end by themselves. Idempotent."""
        await self._connections.close()
