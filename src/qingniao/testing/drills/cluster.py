"""A whole cluster in the hands of a drill: every process, every engine and every way between them.

Owns the processes, made of the parts of `qingniao cluster`; refuses to break anything by itself.
Rule: processes of ours are started again by the supervisor as an operator's would be, engines only
by the drill.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from qingniao.cluster.child import Program, answers
from qingniao.cluster.layout import Layout
from qingniao.cluster.supervisor import Supervisor
from qingniao.errors import StartError
from qingniao.servers import haproxy
from qingniao.servers.postgres import PostgresServer
from qingniao.servers.redis_arrangements import Cluster, RedisServers, Standalone
from qingniao.testing.drills.ways import Way

__all__ = ["DrillCluster", "Plan", "WayName"]

WayName = Literal[
    "gateway-postgresql", "gateway-redis", "worker-postgresql", "worker-redis", "haproxy-gateway"
]

_LOOK_S: Final = 0.05
_DATABASE: Final = "qingniao"
_PASSWORD: Final = re.compile(r"with the one-time password: (\S+)")
_WORKERS: Final = ("ai", "assignment", "analytics", "delivery")
_TAIL_BYTES: Final = 4_000


class Plan(Struct, frozen=True, kw_only=True):
    """How many of each, and what all of them are told."""

    gateways: int = 2
    workers: int = 2
    """Of the roles ai and assignment; of the others there is one."""
    redis: Literal["standalone", "cluster"] = "standalone"
    settings: Mapping[str, str] = {}


class DrillCluster:
    """`async with DrillCluster(plan) as cluster`. `url` and `password` are as of an `OwnServer`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.url = ""
        self.password = ""
        self.said: list[str] = []
        """What the supervisor said."""
        self.ways: dict[WayName, list[Way]] = {}
        self.programs: dict[str, Program] = {}
        """By name: `gateway1`, `ai2`, `haproxy`."""
        self.redis: RedisServers
        self.postgres: PostgresServer
        # PostgreSQL's account has to pass.
        self._folder = Path(tempfile.mkdtemp(prefix="qingniao-drills-"))
        self._supervisor = Supervisor(self.said.append)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        for ways in self.ways.values():
            for way in ways:
                way.mend()
        await self._supervisor.stop()
        await self._stack.aclose()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _start(self) -> None:
        self.postgres = PostgresServer()
        await asyncio.to_thread(self.postgres.__enter__)
        self._stack.push_async_callback(asyncio.to_thread, self.postgres.close)
        database_url = await asyncio.to_thread(self.postgres.new_database, _DATABASE)
        self.redis = Cluster() if self.plan.redis == "cluster" else Standalone()
        self._stack.push_async_callback(asyncio.to_thread, self.redis.stop)
        await asyncio.to_thread(self.redis.start)
        layout = Layout(self._folder, "127.0.0.1", 0, None, self._hear)
        self.url = layout.url
        self._programs(layout, database_url, await self._ways())
        one = [self.programs["api1"]]
        # It makes the tables and the first account; the others find them.
        await self._supervisor.start(one)
        await self._supervisor.start([p for p in self.programs.values() if p not in one])
        await self._supervisor.start([await self._haproxy(layout)])

    async def _ways(self) -> dict[WayName, list[Way]]:
        for near in ("gateway", "worker"):
            await self._open(f"{near}-postgresql", self.postgres.port)  # type: ignore[arg-type]
            if self.plan.redis == "standalone":
                # The servers of a cluster tell their own addresses: nothing can be put in between.
                await self._open(f"{near}-redis", self.redis.nodes[0].port)  # type: ignore[arg-type]
        return self.ways

    async def _open(self, name: WayName, target: int) -> Way:
        way = await self._stack.enter_async_context(Way(target))
        self.ways.setdefault(name, []).append(way)
        return way

    def _programs(
        self, layout: Layout, database_url: str, ways: Mapping[WayName, list[Way]]
    ) -> None:
        def share(near: str) -> None:
            urls = []
            for far, url in (("postgresql", database_url), ("redis", self.redis.url)):
                (way,) = ways.get(f"{near}-{far}", [None])  # type: ignore[call-overload]
                urls.append(url if way is None else _at(url, way.port))
            layout.share(*urls)

        def make(name: str, role: str) -> None:
            program = layout.program(name, role)
            program.tell(**self.plan.settings)
            self.programs[name] = program

        share("api")
        make("api1", "api")
        share("gateway")
        for number in range(1, self.plan.gateways + 1):
            make(f"gateway{number}", "gateway")
        share("worker")
        for worker in _WORKERS:
            count = self.plan.workers if worker in ("ai", "assignment") else 1
            for number in range(1, count + 1):
                make(f"{worker}{number}", f"worker:{worker}")

    async def _haproxy(self, layout: Layout) -> Program:
        gateways = []
        for program in self.of("gateway"):
            way = await self._open("haproxy-gateway", program.port)
            gateways.append(haproxy.Upstream(program.name, f"127.0.0.1:{way.port}"))
        apis = [haproxy.Upstream(p.name, f"127.0.0.1:{p.port}") for p in self.of("api")]
        file = self._folder / "haproxy.cfg"
        plan = haproxy.Plan(
            bind=f"127.0.0.1:{layout.port}", gateways=gateways, apis=apis, maxconn=1_000
        )
        await asyncio.to_thread(file.write_text, haproxy.render(plan))

        async def ready() -> bool:
            return await answers(layout.port)

        self.programs["haproxy"] = program = Program(
            "haproxy", "haproxy", haproxy.command(file), port=layout.port,
            log=layout.log("haproxy"), ready=ready,
        )  # fmt: skip
        return program

    def _hear(self, line: str) -> bool:
        if found := _PASSWORD.search(line):
            self.password = found[1]
        return bool(found)

    def of(self, role: str) -> list[Program]:
        """The processes of a role: `gateway`, `worker:ai`."""
        return [program for program in self.programs.values() if program.kind == role]

    async def kill(self, program: Program, within_s: float = 60.0) -> None:
        """SIGKILL, and wait until another serves in its place."""
        pid, said = program.pid, len(self.said)
        os.kill(pid, signal.SIGKILL)
        words = f"{program.name} runs again"
        async with asyncio.timeout(within_s):
            while not any(words in line for line in self.said[said:]):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)

    def freeze(self, program: Program) -> None:
        """SIGSTOP: it stands still, and its connections with it."""
        os.kill(program.pid, signal.SIGSTOP)

    def thaw(self, program: Program) -> None:
        """SIGCONT: it goes on where it stood. Nothing if it is gone."""
        if program.pid:
            os.kill(program.pid, signal.SIGCONT)

    async def restart(self, program: Program, **variables: str) -> None:
        """In good order, with these variables from now on. Raises `StartError`."""
        program.tell(**variables)
        await self._supervisor.restart(program)

    async def holder(self, lease: str) -> str:
        """Which process has it now, as it calls itself; "" if none has."""
        asking = f"SELECT holder FROM messages.leases WHERE name = '{lease}' AND until > now()"  # noqa: S608
        return await asyncio.to_thread(self.postgres.execute, asking, database=_DATABASE)

    @contextlib.asynccontextmanager
    async def whole(self) -> AsyncIterator[None]:
        """Whatever the body broke and left, is mended."""
        try:
            yield
        finally:
            for ways in self.ways.values():
                for way in ways:
                    way.mend()
            for program in self.programs.values():
                self.thaw(program)
            await asyncio.to_thread(self._mend_engines)

    def _mend_engines(self) -> None:
        self.postgres.resume()
        if not self.postgres.is_running:
            self.postgres.start()
        self.redis.mend()

    async def logs(self) -> str:
        """The end of what every process wrote, for whoever looks for a fault."""

        def read() -> str:
            parts = []
            for file in sorted((self._folder / "logs").glob("*.log")):
                parts.append(f"--- {file.stem}\n{file.read_text(errors='replace')[-_TAIL_BYTES:]}")
            return "\n".join([*parts, "--- supervisor", *self.said])

        return await asyncio.to_thread(read)

    def check(self) -> None:
        """Raises `StartError` if a process of ours does not run."""
        gone = [program.name for program in self.programs.values() if not program.pid]
        if gone:
            raise StartError(f"These do not run: {', '.join(gone)}.")


def _at(url: str, port: int) -> str:
    """The same at another port of this machine."""
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    return urlunsplit(
        parts._replace(netloc=f"{who}@127.0.0.1:{port}" if who else f"127.0.0.1:{port}")
    )
