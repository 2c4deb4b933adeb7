"""A real cluster for tests: `qingniao cluster` as an operator runs it, on a port of its own.

Owns that command and its folder; refuses to know what is done to its processes. Rule: it is ended
whatever happened to it, and nothing of it stays.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from msgspec import Struct
from msgspec.json import decode

from qingniao.errors import StartError

__all__ = ["OwnCluster", "Process"]

_START_S: Final = 180.0
_STOP_S: Final = 60.0
_LOOK_S: Final = 0.05


class Process(Struct, frozen=True, kw_only=True):
    """One process of the cluster."""

    name: str
    role: str
    port: int
    pid: int


class OwnCluster:
    """`async with OwnCluster("--gateways", "2") as cluster`. `url` and `password` are as of an
    `OwnServer`."""

    def __init__(self, *arguments: str, settings: dict[str, str] | None = None) -> None:
        self._arguments = arguments
        self._settings = settings or {}
        self.data = Path()
        self.url = ""
        self.password = ""
        self.said: list[str] = []
        """What it printed, line by line."""
        self._command: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # Not below pytest's folders, which are closed to PostgreSQL's account.
        self.data = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="qingniao-cluster-"))
        try:
            await asyncio.to_thread(self.data.chmod, 0o755)
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)

    async def start(self) -> None:
        """Start it (again, with its data) and wait for `ready`. Raises `StartError`."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("QINGNIAO_")}
        self._command = command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qingniao", "cluster", "--port", "0",
            "--data", str(self.data / "cluster"), *self._arguments, env=environ | self._settings,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        if command.stdout is None:
            raise StartError("The cluster's output cannot be read.")
        self.said = []
        self._reader = asyncio.create_task(self._read(command.stdout))
        await self._hears(lambda line: line == "ready", _START_S)

    async def stop(self) -> int:
        """SIGTERM, and its exit status; killed when it does not end in time. Idempotent."""
        command = self._command
        if command is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            command.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                code = await command.wait()
        except TimeoutError:
            command.kill()
            code = await command.wait()
        self._command = None
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
        return code

    async def processes(self, role: str = "") -> list[Process]:
        """What runs now; of one role, if it is given."""
        return await asyncio.to_thread(self.table, role)

    def table(self, role: str = "") -> list[Process]:
        """The same, read at once."""
        found = decode((self.data / "cluster/processes.json").read_bytes(), type=list[Process])
        return [process for process in found if role in ("", process.role)]

    async def log(self, name: str) -> str:
        """What a process of this name wrote."""
        file = self.data / "cluster/logs" / f"{name}.log"
        return await asyncio.to_thread(file.read_text, errors="replace")

    async def restart_all(self, within_s: float = 240.0) -> None:
        """SIGHUP, and wait until every process is another. Raises `StartError`."""
        if self._command is None:
            raise StartError("The cluster does not run.")
        before = len(self.said)
        self._command.send_signal(signal.SIGHUP)
        await self._hears(lambda line: "restarted all of it" in line, within_s, before)

    async def kill(self, process: Process, within_s: float = 60.0) -> Process:
        """SIGKILL, and wait until another serves in its place; that one."""
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(within_s):
            while True:
                await asyncio.sleep(_LOOK_S)
                (now,) = [p for p in await self.processes(process.role) if p.name == process.name]
                if now.pid not in (0, process.pid) and any(
                    f"{now.name} runs again as process {now.pid}" in line for line in self.said
                ):
                    return now

    async def says(self, words: str, within_s: float = 60.0) -> None:
        """Wait until it has printed a line with these words. Raises `StartError` if it ends first
        or does not say so in time."""
        await self._hears(lambda line: words in line, within_s)

    async def _hears(
        self, is_it: Callable[[str], bool], within_s: float, since_line: int = 0
    ) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not any(map(is_it, self.said[since_line:])):
                    if self._reader is None or self._reader.done():
                        raise StartError("The cluster ended:\n" + "\n".join(self.said))
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as exc:
            waited = f"The cluster did not get there in {within_s:g} s:\n"
            raise StartError(waited + "\n".join(self.said)) from exc

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self._hear(line.decode(errors="replace").rstrip("\n"))

    def _hear(self, line: str) -> None:
        if found := re.search(r"console +(http://\S+?:\d+)", line):
            self.url = found[1]
        if found := re.search(r"one-time password: (\S+)", line):
            self.password = found[1]
        self.said.append(line)
