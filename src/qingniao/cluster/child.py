"""One process that a supervisor keeps: a program with its log.

Owns its start, its word that it is ready, and its end; refuses to decide when to start it again.
Rule: a child is in a session of its own, so that Ctrl-C is for the supervisor, and it does not
outlive the supervisor.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from qingniao.errors import StartError
from qingniao.servers.tied import tied

__all__ = ["Child", "Program", "answers"]

_START_S: Final = 90.0
_LOOK_S: Final = 0.1
_LOG_BYTES: Final = 10_000_000
"""A log that is longer is begun anew with the next start."""
_TAIL_BYTES: Final = 2_000


class Child(Protocol):
    """What a supervisor keeps running."""

    name: str
    kind: str
    """What it is, for the table: `gateway`, `postgres`."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    @property
    def pid(self) -> int:
        """Its process; 0 when there is none."""
        ...

    async def start(self) -> None:
        """Return when it serves. Raises `StartError`."""
        ...

    async def ended(self) -> str:
        """Wait until it is gone; how it went, in words."""
        ...

    async def stop(self, within_s: float) -> None:
        """End it in good order, and at once after that time. Idempotent."""
        ...


class Program:
    """`Child` by a command line."""

    def __init__(
        self,
        name: str,
        kind: str,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        environ: Mapping[str, str] | None = None,
        ready: Callable[[], Awaitable[bool]] | None = None,
        hears: Callable[[str], bool] = lambda line: False,
    ) -> None:
        """`ready` is asked until it says so; without it, the line `ready` on the standard output
        is. `hears` gets each line of that output, and says whether the log must not."""
        self.name = name
        self.kind = kind
        self._command = command
        self._port = port
        self._log = log
        self._environ = dict(environ) if environ is not None else None
        self._ready = ready
        self._hears = hears
        self._said_ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """See `Child`."""
        return self._port

    @property
    def pid(self) -> int:
        """See `Child`."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    def tell(self, **variables: str) -> None:
        """Have these variables too, from the next start on."""
        self._environ = dict(os.environ if self._environ is None else self._environ) | variables

    async def start(self) -> None:
        """See `Child`."""
        self._said_ready = asyncio.Event()
        command = [*await asyncio.to_thread(tied), *self._command]
        with await asyncio.to_thread(_open_log, self._log) as log:
            try:
                self._process = process = await asyncio.create_subprocess_exec(
                    *command, env=self._environ, start_new_session=True,
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                )  # fmt: skip
            except OSError as exc:
                raise StartError(f"{self.name} cannot be started: {exc.strerror}.") from exc
        if process.stdout is not None:
            self._reader = asyncio.create_task(self._read(process.stdout))
        try:
            async with asyncio.timeout(_START_S):
                while not await self._is_ready():
                    if process.returncode is not None:
                        tail = await asyncio.to_thread(self._tail)
                        raise StartError(f"{self.name} {_how(process.returncode)}: {tail}")
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            await self.stop(0)
            tail = await asyncio.to_thread(self._tail)
            raise StartError(f"{self.name} was not ready in {_START_S:g} s: {tail}") from None

    async def _is_ready(self) -> bool:
        return await self._ready() if self._ready is not None else self._said_ready.is_set()

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := (await output.readline()).decode(errors="replace"):
            if line.startswith("ready"):
                self._said_ready.set()
            if not self._hears(line):
                await asyncio.to_thread(_append, self._log, line)

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            said = self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
            return said.rpartition("\n")[2] or "it said nothing"
        return "it said nothing"

    async def ended(self) -> str:
        """See `Child`."""
        if self._process is None:
            return "was not started"
        return _how(await self._process.wait())

    async def stop(self, within_s: float) -> None:
        """See `Child`."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            # One that stands still would not hear it.
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            try:
                async with asyncio.timeout(within_s):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None


async def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Does somebody take connections at this port of ours?"""
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.unlink()
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def _append(path: Path, line: str) -> None:
    with path.open("a") as log:
        log.write(line)
