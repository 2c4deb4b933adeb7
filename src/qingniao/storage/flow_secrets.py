"""Secrets that flows send to other machines, sealed. Rule: they are written, named, and opened only
by whoever sends them; one belongs to one origin and is sent nowhere else.
"""

from sqlalchemy import delete, insert, select

from qingniao.storage.database import Database, lock
from qingniao.storage.models import flow_secrets

__all__ = ["FlowSecrets"]


class FlowSecrets:
    """By origin (such as `https://api.example.com:443`) and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self) -> dict[str, list[str]]:
        """By origin the names of those that are stored."""
        query = select(flow_secrets.c.origin, flow_secrets.c.name).order_by(
            flow_secrets.c.origin, flow_secrets.c.name
        )
        found: dict[str, list[str]] = {}
        async with self._database.read() as connection:
            for origin, name in await connection.execute(query):
                found.setdefault(origin, []).append(name)
        return found

    async def sealed(self, origin: str) -> dict[str, str]:
        """Those of one origin, by name, as they are stored."""
        query = select(flow_secrets.c.name, flow_secrets.c.sealed).where(
            flow_secrets.c.origin == origin
        )
        async with self._database.read() as connection:
            return {name: sealed for name, sealed in await connection.execute(query)}

    async def put(self, origin: str, name: str, sealed: str, now_ms: int) -> None:
        """Store one, or take it away with an empty `sealed`."""
        async with self._database.write() as connection:
            await lock(connection, f"flow secret {origin}")
            await connection.execute(
                delete(flow_secrets).where(
                    flow_secrets.c.origin == origin, flow_secrets.c.name == name
                )
            )
            if sealed:
                row = {"origin": origin, "name": name, "sealed": sealed, "updated": now_ms}
                await connection.execute(insert(flow_secrets), row)
