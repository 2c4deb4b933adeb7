"""PostgreSQL and Redis as children of a supervisor.

Owns the way from blocking calls to a loop; refuses to know how a server is made (that is
`servers/`). Rule: every call that may wait runs in a thread.
"""

import asyncio
from pathlib import Path
from typing import Final

from qingniao.servers.postgres import PostgresServer
from qingniao.servers.redis import Node

__all__ = ["PostgresChild", "RedisNode"]

_LOOK_S: Final = 0.2


class PostgresChild:
    """`Child`: the database, in a folder that stays."""

    name = kind = "postgres"

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder)
        self._is_open = False

    @property
    def port(self) -> int:
        """See `Child`."""
        return self.server.port

    @property
    def pid(self) -> int:
        """See `Child`."""
        return self.server.pid

    async def start(self) -> None:
        """See `Child`."""
        if self._is_open:
            await asyncio.to_thread(self.server.start)
            return
        await asyncio.to_thread(self.server.__enter__)
        self._is_open = True

    async def ended(self) -> str:
        """See `Child`."""
        while self.server.is_running:  # noqa: ASYNC110  a process of a thread's has no event
            await asyncio.sleep(_LOOK_S)
        return "has ended"

    async def stop(self, within_s: float) -> None:
        """See `Child`. It has its own deadline."""
        if self._is_open:
            self._is_open = False
            await asyncio.to_thread(self.server.close)

    async def database(self, name: str) -> str:
        """The URL of a database of this name; makes it if there is none."""
        known = await asyncio.to_thread(
            self.server.execute, "SELECT datname FROM pg_database WHERE NOT datistemplate"
        )
        if name not in known.splitlines():
            await asyncio.to_thread(self.server.execute, f'CREATE DATABASE "{name}"')
        return self.server.url(name)


class RedisNode:
    """`Child`: one server of the bus, which its arrangement has started the first time."""

    kind = "redis"

    def __init__(self, name: str, node: Node) -> None:
        self.name = name
        self._node = node

    @property
    def port(self) -> int:
        """See `Child`."""
        return self._node.port

    @property
    def pid(self) -> int:
        """See `Child`."""
        return self._node.pid

    async def start(self) -> None:
        """Start it again, empty: everything in it is a hint."""
        if not self._node.is_running:
            await asyncio.to_thread(self._node.start)

    async def ended(self) -> str:
        """See `Child`."""
        while self._node.is_running:  # noqa: ASYNC110  a process of a thread's has no event
            await asyncio.sleep(_LOOK_S)
        return "has ended"

    async def stop(self, within_s: float) -> None:
        """See `Child`. There is nothing to write."""
        await asyncio.to_thread(self._node.kill)
