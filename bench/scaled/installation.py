"""An installation of several processes on this machine, as a bench needs it.

Owns a `qingniao cluster` and what it takes to reach its gateways directly: their ports, tokens
that its keys have signed, an agent's ticket. Refuses to measure (that is `processes.py`). Rule: it
is started as an operator starts it; HAProxy runs, and nobody comes in by it.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final, Literal, Self

from bench.native.generator import lasting_ticket
from bench.native.house import ONE_AGENT, PASSWORD
from sqlalchemy import text

from qingniao.auth import Signer
from qingniao.replay.house import Api
from qingniao.storage.database import Database
from qingniao.storage.keys import SharedKeys
from qingniao.testing.clusters import OwnCluster

__all__ = ["Installation", "RedisKind"]

RedisKind = Literal["standalone", "cluster"]

_LOG_SIZE: Final = text("""
SELECT (SELECT count(*) FROM messages.entries), sum(pg_total_relation_size(inhrelid))
FROM pg_inherits WHERE inhparent = 'messages.entries'::regclass
""")
_BESIDE: Final = frozenset({"postgres", "redis", "haproxy"})


class Installation:
    """`async with Installation(3) as installation`; an api, a worker that answers, and one for all
    that the others do."""

    def __init__(
        self,
        gateways: int,
        redis: RedisKind = "standalone",
        settings: dict[str, str] | None = None,
    ) -> None:
        self.cluster = OwnCluster(
            "--gateways", str(gateways), "--api", "1", "--together", "--redis", redis,
            settings=ONE_AGENT | (settings or {}),
        )  # fmt: skip
        self.ticket = ""
        """An agent's, good for an hour."""

    async def __aenter__(self) -> Self:
        await self.cluster.__aenter__()
        try:
            api = Api(self.cluster.url)
            await api.sign_in("admin", self.cluster.password, PASSWORD)
            self.signer = await self._signer()
            self.ticket = lasting_ticket(self.signer, await api.ticket())
        except BaseException:
            await self.cluster.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cluster.__aexit__()

    @contextlib.asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        (postgres,) = self.cluster.table("postgres")
        password = (self.cluster.data / "cluster/postgres/password").read_text()
        url = f"postgresql://qingniao:{password}@127.0.0.1:{postgres.port}/qingniao"
        database = await Database.connect(url, pool=1)
        try:
            yield database
        finally:
            await database.close()

    async def _signer(self) -> Signer:
        async with self._database() as database:
            return Signer((await SharedKeys.open(database)).ring)

    async def log_size(self) -> tuple[int, int]:
        """Entries in the log, and bytes of the tables that hold them, indexes included."""
        async with self._database() as database, database.read() as connection:
            found = await connection.execute(_LOG_SIZE)
            entries, size = found.one()
            return int(entries), int(size)

    @property
    def gateways(self) -> list[int]:
        """Their ports."""
        return [process.port for process in self.cluster.table("gateway")]

    def url(self) -> str:
        """Of one gateway."""
        return f"http://127.0.0.1:{self.gateways[0]}"

    def pids(self, *roles: str) -> list[int]:
        """Processes of these roles: those of `qingniao serve --role`, or `redis`, `postgres`."""
        return [process.pid for process in self.cluster.table() if process.role in roles]

    def roles(self) -> dict[str, list[int]]:
        """`gateway`, `api`, `ai`, `workers` → processes of ours, all of them."""
        found: dict[str, list[int]] = {}
        for process in self.cluster.table():
            if process.role not in _BESIDE:
                found.setdefault(process.name.rstrip("0123456789"), []).append(process.pid)
        return found
