"""Real servers for tests, and a network that misbehaves on command.

Rule: every server started here is ended here, whatever the test did to it.
"""

import asyncio
import contextlib
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


class Cut(Exception):
    """Raised by a meddler: break this connection now."""


Meddler = Callable[[int, str], bool]
"""(connection number from 1, a frame of the server as text) → let it through?"""


class Proxy:
    """A TCP relay that shows every WebSocket frame of the server to a meddler."""

    def __init__(self, target: str, meddle: Meddler) -> None:
        self._host, port = re.findall(r"//(.+):(\d+)", target)[0]
        self._port = int(port)
        self._meddle = meddle
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            up_writer.write(head)
            is_socket = b"upgrade: websocket" in head.lower()
            self.connections += is_socket
            down = self._frames if is_socket else self._bytes
            relays = [
                asyncio.create_task(self._bytes(reader, up_writer)),
                asyncio.create_task(down(up_reader, writer)),
            ]
            await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)
        finally:
            for end in (writer, up_writer):
                with contextlib.suppress(OSError):
                    end.transport.abort()

    async def _bytes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        writer.write(await reader.readuntil(b"\r\n\r\n"))
        while True:
            head = await reader.readexactly(2)
            size = head[1] & 0x7F  # a server's frames are not masked
            if size >= 126:
                more = await reader.readexactly(2 if size == 126 else 8)
                head, size = head + more, int.from_bytes(more, "big")
            payload = await reader.readexactly(size)
            if self._meddle(number, payload.decode("utf-8", "replace")):
                writer.write(head + payload)
                await writer.drain()
