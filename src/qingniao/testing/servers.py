"""Real servers on copies of one furnished folder, ended whatever happened to them.

Owns the folders and the processes; refuses to know what is done to them. Rule: the first start,
which learns the sample knowledge, is paid once.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final, Protocol, Self

from msgspec import Struct

from qingniao.errors import StartError
from qingniao.replay.house import Api, OwnServer

__all__ = [
    "LOADED", "Furnished", "Reachable", "Servers", "Start", "furnish", "health", "hire", "metric",
    "pid_of", "resident_bytes", "send_signal", "stop_hard",
]  # fmt: skip

_SETTINGS: Final = {
    # Everybody comes from one address.
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_LOG_LEVEL": "error",
}
LOADED: Final = {
    # Everybody talks as fast as the server can take it.
    "QINGNIAO_WIRE_RATE": "100000",
    "QINGNIAO_WIRE_AGENT_RATE": "100000",
    # Whatever a screen missed is sent again, however much: screens are compared whole.
    "QINGNIAO_WIRE_REPLAY": "10000000",
}

_PASSWORD: Final = "correct horse battery"  # noqa: S105  of a server that lives for seconds


class Furnished(Struct, frozen=True):
    """A data folder after its first start, and the administrator's one-time password."""

    data: Path
    password: str


class Reachable(Protocol):
    """Somewhere to talk: one process, or many behind one address."""

    url: str
    password: str
    """The administrator's one-time password, which nobody has used yet."""


class Start(Protocol):
    """Starts a server on a port of its own; without `data`, on a copy of a furnished folder."""

    async def __call__(self, data: Path | None = None, **settings: str) -> OwnServer: ...


async def furnish(data: Path) -> Furnished:
    """Make the first start in `data`, and stop."""
    server = OwnServer(_SETTINGS, data)
    try:
        await server.start()
    finally:
        await server.stop()
    return Furnished(data, server.password)


class Servers:
    """`async with Servers(folder, furnished) as servers: await servers.start()`."""

    def __init__(self, folder: Path, furnished: Furnished) -> None:
        self._folder = folder
        self._furnished = furnished
        self._servers: list[OwnServer] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            # One that stands still would not hear anything else.
            server.kill()
            await stop_hard(server)

    async def start(self, data: Path | None = None, **settings: str) -> OwnServer:
        """See `Start`."""
        if data is None:
            data = self._folder / (f"data-{number}" if (number := len(self._servers)) else "data")
        if not await asyncio.to_thread(data.exists):
            await asyncio.to_thread(shutil.copytree, self._furnished.data, data)
        server = OwnServer(_SETTINGS | settings, data)
        server.password = self._furnished.password
        self._servers.append(server)
        await server.start()
        return server


async def stop_hard(server: OwnServer) -> None:
    """SIGKILL, and wait until it is gone."""
    server.kill()
    with contextlib.suppress(StartError):
        await server.stop()


def pid_of(server: OwnServer) -> int:
    """The process of a server that runs. Raises `StartError`."""
    if server.process is None or server.process.returncode is not None:
        raise StartError("The server does not run.")
    return server.process.pid


async def hire(server: Reachable, count: int) -> list[Api]:
    """New agents, signed in. They take nothing by themselves. Changes the one-time password."""
    admin = Api(server.url)
    await admin.sign_in("admin", server.password, _PASSWORD)
    staff = []
    for number in range(count):
        body = {"login": f"agent{number}", "name": f"坐席 {number}", "role": "agent"}
        made = await admin.call("POST", "/users", body)
        agent = Api(server.url)
        await agent.sign_in(made["user"]["login"], made["password"], _PASSWORD)
        # What the bot hands over stays in the queue: people here have their conversations.
        await agent.call("PATCH", "/session/user", {"accepting": False})
        staff.append(agent)
    return staff


async def health(url: str) -> tuple[int, str]:
    """What `/healthz` says: the status and the word."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
                return int(answer.status), str(json.load(answer)["status"])
        except urllib.error.HTTPError as exc:
            return exc.code, str(json.load(exc)["status"])

    return await asyncio.to_thread(ask)


async def metric(url: str, name: str) -> float:
    """One figure of `/metrics`. Raises `KeyError`."""

    def ask() -> str:
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310
            return str(answer.read().decode())

    for line in (await asyncio.to_thread(ask)).splitlines():
        if line.startswith(f"qingniao_{name} "):
            return float(line.split()[1])
    raise KeyError(name)


async def resident_bytes(server: OwnServer) -> int:
    """Memory that a server has in use."""
    status = Path(f"/proc/{pid_of(server)}/status")
    for line in (await asyncio.to_thread(status.read_text)).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise StartError("The server's memory cannot be read.")


def send_signal(server: OwnServer, number: signal.Signals) -> None:
    """To a server that runs."""
    if server.process is not None:
        server.process.send_signal(number)
