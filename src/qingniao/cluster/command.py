"""`qingniao cluster`: starts everything in order, says what runs where, ends everything.

Owns the folder, and what the operator reads; refuses to know how a process is kept (that is
`supervisor.py`). Rule: one cluster in a folder; a second start on it goes on with its data.
"""

import asyncio
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.cluster.child import Child, Program
from qingniao.cluster.engines import PostgresChild, RedisNode
from qingniao.cluster.layout import Layout, Size
from qingniao.cluster.supervisor import Supervisor
from qingniao.errors import StartError
from qingniao.servers import haproxy
from qingniao.servers.postgres import find_postgres
from qingniao.servers.redis import find_program
from qingniao.servers.redis_arrangements import Cluster, RedisServers, Standalone

__all__ = ["ClusterOptions", "run"]

_DATABASE: Final = "qingniao"
_SEEN_AGAIN_S: Final = 1.5
"""Until HAProxy has looked at a process that is back: it asks twice a second."""
_PASSWORD: Final = re.compile(r"sign in as (\S+) with the one-time password: (\S+)")


class ClusterOptions(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    folder: Path
    host: str
    port: int
    size: Size
    config: Path | None = None


async def run(options: ClusterOptions) -> None:
    """Run a cluster until SIGTERM or SIGINT; SIGHUP restarts its processes one after the other.
    Raises `StartError`."""
    _check_programs()
    with _alone(options.folder):
        cluster = _Cluster(options)
        try:
            await cluster.open()
            await cluster.serve()
        finally:
            await cluster.close()


class _Cluster:
    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._folder = options.folder.resolve()
        self._layout = Layout(self._folder, options.host, options.port, options.config, self._hear)
        self._supervisor = Supervisor(_say, self._note)
        self._password: tuple[str, str] | None = None
        self._redis: RedisServers | None = None
        self._gateways: list[Program] = []
        self._apis: list[Program] = []
        self._workers: list[Program] = []

    async def open(self) -> None:
        """Start everything, in the order in which one needs another."""
        size, layout = self._options.size, self._layout
        _say("starting PostgreSQL and Redis")
        postgres = PostgresChild(self._folder / "postgres")
        await self._supervisor.start([postgres])
        redis = await self._open_redis()
        layout.share(await postgres.database(_DATABASE), redis.url)
        _say("starting Qingniao")
        self._apis = [layout.program(f"api{n}", "api") for n in _upto(size.apis)]
        self._gateways = [layout.program(f"gateway{n}", "gateway") for n in _upto(size.gateways)]
        self._workers = [
            layout.program(f"{name}{n}", role)
            for name, role, count in size.workers()
            for n in _upto(count)
        ]
        # The first one makes the tables and the first account; the others find them.
        await self._supervisor.start(self._apis[:1])
        await self._supervisor.start([*self._gateways, *self._apis[1:], *self._workers])
        await self._supervisor.start([layout.haproxy(self._gateways, self._apis)])

    async def serve(self) -> None:
        """Say what there is, and wait for signals."""
        loop = asyncio.get_running_loop()
        ending, restarting = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        loop.add_signal_handler(signal.SIGHUP, restarting.set)
        print(self._described())
        print("ready", flush=True)
        waiting = asyncio.create_task(ending.wait())
        while not ending.is_set():
            asked = asyncio.create_task(restarting.wait())
            await asyncio.wait({waiting, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if restarting.is_set() and not ending.is_set():
                restarting.clear()
                rolling = asyncio.create_task(self._restart_all())
                await asyncio.wait({waiting, rolling}, return_when=asyncio.FIRST_COMPLETED)
                rolling.cancel()
                await asyncio.gather(rolling, return_exceptions=True)
        _say("stopping")

    async def close(self) -> None:
        """End everything. Idempotent."""
        await self._supervisor.stop()
        if self._redis is not None:
            await asyncio.to_thread(self._redis.stop)
        (self._folder / "processes.json").unlink(missing_ok=True)

    async def _open_redis(self) -> RedisServers:
        kind = Cluster if self._options.size.redis == "cluster" else Standalone
        # On this machine too it carries what people write: other accounts have no business there.
        self._redis = redis = kind(password=secrets.token_urlsafe(24))
        await asyncio.to_thread(redis.start)
        names = (
            ["redis"] if len(redis.nodes) == 1 else [f"redis{n}" for n in _upto(len(redis.nodes))]
        )
        await self._supervisor.start(
            [RedisNode(name, node) for name, node in zip(names, redis.nodes, strict=True)]
        )
        return redis

    async def _restart_all(self) -> None:
        """Gateways and api one after the other: HAProxy has others meanwhile. Workers the other way
        round: the new one first, for nobody stands in for them."""
        try:
            for program in [*self._gateways, *self._apis]:
                _say(f"restarting {program.name}")
                await self._supervisor.restart(program)
                await asyncio.sleep(_SEEN_AGAIN_S)
            for number, old in enumerate(self._workers):
                _say(f"restarting {old.name}")
                new = self._layout.program(old.name, old.kind)
                await self._supervisor.replace(old, new)
                self._workers[number] = new
        except StartError as exc:
            _say(f"the restart stopped: {exc}")
        else:
            _say("restarted all of it")

    def _hear(self, line: str) -> bool:
        found = _PASSWORD.search(line)
        if found:
            self._password = (found[1], found[2])
        return bool(found)

    def _note(self) -> None:
        """What runs, for people and scripts: `processes.json`."""
        rows = [
            {"name": child.name, "role": child.kind, "port": child.port, "pid": child.pid}
            for child in self._supervisor.children
        ]
        file = self._folder / "processes.json"
        beside = file.with_suffix(".new")
        try:
            beside.write_text(json.dumps(rows, indent=1))
            beside.replace(file)
        except OSError as exc:  # children are kept running on a full disk too
            _say(f"{file} cannot be written: {exc.strerror}")

    def _described(self) -> str:
        url = self._layout.url
        lines = [_row("process", "role", "port", "pid")]
        lines += map(_described, self._supervisor.children)
        lines += [
            "",
            f"console   {url}/console/",
            f"demo shop {url}/demo/",
            f"data in   {self._folder} (logs in logs/)",
            f"rolling restart: kill -HUP {os.getpid()}",
        ]
        if self._password is not None:
            login, password = self._password
            lines.append(f"sign in as {login} with the one-time password: {password}")
        return "\n".join(lines)


def _described(child: Child) -> str:
    return _row(child.name, child.kind, str(child.port), str(child.pid))


def _row(name: str, role: str, port: str, pid: str) -> str:
    return f"{name:<14}{role:<20}{port:>6}{pid:>10}"


def _say(what: str) -> None:
    print(f"cluster: {what}", flush=True)


def _upto(count: int) -> range:
    return range(1, count + 1)


def _check_programs() -> None:
    """All that is missing in one sentence, before anything is started."""
    missing = []
    for package, find in (("postgresql", find_postgres), ("haproxy", haproxy.find_haproxy)):
        try:
            find()
        except StartError:
            missing.append(package)
    if not find_program():
        missing.append("redis-server")
    if missing:
        raise StartError(
            f"A cluster needs programs that are not here: {', '.join(missing)}. On Debian and "
            f"Ubuntu: apt-get install --no-install-recommends {' '.join(missing)}"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make the folder, and hold it. Raises `StartError` when another cluster has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "cluster.lock").open("a")
    except OSError as exc:
        raise StartError(f"The folder {folder} cannot be written: {exc.strerror}.") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise StartError(f"Another cluster runs in {folder}.") from exc
        # What processes kept for themselves; all that must survive is in PostgreSQL.
        shutil.rmtree(folder / "processes", ignore_errors=True)
        yield
