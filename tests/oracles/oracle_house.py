"""Independent parties that judge the doubles: clients and servers of other makers.

Rule: whatever is started here is ended here, and everything has a deadline.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".oracles"
CLIENTS = Path(__file__).parent / "clients"
WITHIN_S = 60

AskClient = Callable[..., Awaitable[Any]]
"""`await ask_client("ask_coze.py", url, …)`: what a client of another maker understood."""


async def asked(script: str, *arguments: str, told: str = "") -> Any:
    process = await asyncio.create_subprocess_exec(
        str(HOME / "bin/python"), str(CLIENTS / script), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN_S):
            out, err = await process.communicate(told.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()[-3000:]
    return json.loads(out)


@contextlib.asynccontextmanager
async def server(program: str, *arguments: str, ready: str) -> AsyncIterator[str]:
    """A server from npm on a free port; its address. `{port}` in the arguments is filled in."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    path = f"{ROOT / '.venv/node-bin'}:{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        str(HOME / "node_modules/.bin" / program),
        *(argument.replace("{port}", port) for argument in arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    try:
        draining = await _ready(process, ready)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            async with asyncio.timeout(WITHIN_S):
                await process.wait()
                await draining
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, sign: str) -> "asyncio.Future[bytes]":
    """Wait until it says that it is there; what it says from then on."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(WITHIN_S):
        while not re.search(sign, said):
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    # Nobody reads what it says afterwards, but it must be able to say it.
    return asyncio.ensure_future(process.stdout.read())
