"""Real servers for tests.

Rule: every server started here is ended here, whatever the test did to it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qingniao.replay.house import OwnServer
from qingniao.testing.servers import Furnished, Servers, Start, furnish

StartServer = Start


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """Made once: the first start learns the sample knowledge, which no test here is about."""
    return asyncio.run(furnish(tmp_path_factory.mktemp("furnished") / "data"))


@pytest.fixture
async def start_server(tmp_path: Path, furnished: Furnished) -> AsyncIterator[StartServer]:
    """`await start_server(data=…, **settings)`: a server that answers, on a port of its own.

    Without `data` it gets a copy of the furnished folder.
    """
    async with Servers(tmp_path, furnished) as servers:
        yield servers.start


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
