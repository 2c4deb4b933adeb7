"""`python -m qingniao.testing.talker`: a seat in a process of its own, which can be stopped.

Owns nothing but that seat. Rule: one line of JSON in (`Part`), `up` out once it talks, one line in
to end, one line of JSON out (`Record`).
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.errors import StartError
from qingniao.testing.seat import Record, Seat

__all__ = ["Part", "Talker"]

_END_S: Final = 90.0
_LINE_BYTES: Final = 1 << 28


class Part(Struct, frozen=True, kw_only=True):
    """Who talks where."""

    url: str
    name: str
    token: str
    conversation: int
    pause_s: float


class Talker:
    """The process as its owner holds it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._record: Record | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, part: Part) -> AsyncIterator["Talker"]:
        """It talks when this is entered. Raises `StartError`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qingniao.testing.talker", limit=_LINE_BYTES,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            if process.stdin is None or process.stdout is None:
                raise StartError("The talker cannot be reached.")
            process.stdin.write(msgspec.json.encode(part) + b"\n")
            async with asyncio.timeout(_END_S):
                if (await process.stdout.readline()).strip() != b"up":
                    raise StartError("The talker did not start.")
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def stop(self) -> None:
        """SIGSTOP: it stands still, and its sockets with it."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    async def end(self) -> Record:
        """Let it settle; what it recorded. Raises `StartError`."""
        if self._process.stdin is None or self._process.stdout is None:
            raise StartError("The talker cannot be reached.")
        self._process.stdin.write(b"end\n")
        async with asyncio.timeout(_END_S):
            line = await self._process.stdout.readline()
        if not line:
            raise StartError("The talker ended without a word.")
        return msgspec.json.decode(line, type=Record)


async def _talk() -> None:
    lines = asyncio.StreamReader(limit=_LINE_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    part = msgspec.json.decode(await lines.readline(), type=Part)
    seat = Seat(part.url, part.name, part.token)
    stop = asyncio.Event()
    async with seat.client, asyncio.TaskGroup() as tasks:
        await seat.client.ready()
        tasks.create_task(seat.talk(part.conversation, 8, stop, pause_s=part.pause_s))
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await lines.readline()
        stop.set()
    seat.is_whole = False  # it leaves before the others are silent
    sys.stdout.write(msgspec.json.encode(seat.record(part.conversation)).decode() + "\n")
    sys.stdout.flush()
    transport.close()


if __name__ == "__main__":
    asyncio.run(_talk())
