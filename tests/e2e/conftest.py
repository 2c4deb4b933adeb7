"""Real servers for tests, and a network that misbehaves on command.

Rule: every server started here is ended here, whatever the test did to it.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from qingniao.replay.house import OwnServer

SETTINGS = {
    # Everybody in a test comes from one address.
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_LOG_LEVEL": "error",
}

StartServer = Callable[..., Awaitable[OwnServer]]


class Furnished:
    """A data folder after its first start, and the administrator's one-time password."""

    def __init__(self, data: Path, password: str) -> None:
        self.data, self.password = data, password


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """Made once: the first start learns the sample knowledge, which no test here is about."""
    data = tmp_path_factory.mktemp("furnished") / "data"
    with subprocess.Popen(
        [sys.executable, "-m", "qingniao", "serve"], env=environ_with(data), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        password = ""
        for line in process.stdout:
            if found := re.search(rb"one-time password: (\S+)", line):
                password = found[1].decode()
            if line.startswith(b"ready"):
                break
        process.terminate()
        assert process.wait(30) == 0 and password
    return Furnished(data, password)


def environ_with(data: Path, **settings: str) -> dict[str, str]:
    """The environment of a server: nothing of our own settings but these."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QINGNIAO_")}
    return clean | SETTINGS | {"QINGNIAO_DATA": str(data), "QINGNIAO_PORT": "0"} | settings


@pytest.fixture
async def start_server(tmp_path: Path, furnished: Furnished) -> AsyncIterator[StartServer]:
    """`await start_server(data=…, **settings)`: a server that answers, on a port of its own.

    Without `data` it gets a copy of the furnished folder.
    """
    servers: list[OwnServer] = []

    async def start(data: Path | None = None, **settings: str) -> OwnServer:
        if data is None:
            data = tmp_path / "data"
            shutil.copytree(furnished.data, data)
        server = OwnServer(SETTINGS | settings, data)
        server.password = furnished.password
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        server.kill()
        await server.stop()


@pytest.fixture
async def server(start_server: StartServer) -> OwnServer:
    """A server with its own empty data folder."""
    return await start_server()


class Ended:
    """What a command left: its exit status and what it printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


async def run_qingniao(*arguments: str, within_s: float = 45, **environ: str) -> Ended:
    """Run the command to its end with nothing of our own settings but `environ`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QINGNIAO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qingniao", *arguments, env=clean | environ,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode(), err.decode())
