"""System calls that fail or hang on purpose, in a process that runs, by `strace`.

Owns the tracer; refuses to choose what fails. Rule: leaving the context lets go of the process, and
whatever it waited for goes on.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from qingniao.errors import StartError

__all__ = ["SYNCS", "WRITES", "can_inject", "injected"]

SYNCS: Final = "fsync,fdatasync,sync_file_range"
"""All that a program can do to have its bytes on disk."""
WRITES: Final = "write,pwrite64,writev,pwritev,fallocate"
_ATTACH_S: Final = 20.0
_DETACH_S: Final = 1.0
"""A tracer that is delaying a call does not hear that it should go."""


def can_inject() -> bool:
    """Is there a `strace`, and may it look into other processes here?"""
    if shutil.which("strace") is None:
        return False
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    allows = not scope.exists() or scope.read_text().strip() == "0"
    return allows or os.geteuid() == 0


@contextlib.asynccontextmanager
async def injected(
    pid: int, calls: str, what: str, *, paths: Sequence[Path] = ()
) -> AsyncIterator[None]:
    """Meddle with `calls` of a process and all its threads, such as `"error=EIO:when=3"`; only on
    `paths`, if there are any. Raises `StartError` when that is not possible."""
    chosen = [argument for path in paths for argument in ("-P", str(path))]
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-p", str(pid), "-o", os.devnull, *chosen,
        "-e", f"trace={calls}", "-e", f"inject={calls}:{what}",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said = b""
    try:
        if tracer.stderr is None:
            raise StartError("What strace says cannot be read.")
        async with asyncio.timeout(_ATTACH_S):
            while b" attached" not in said:
                line = await tracer.stderr.readline()
                if not line:
                    raise StartError(f"strace cannot attach: {said.decode(errors='replace')}")
                said += line
        saying = asyncio.create_task(_swallow(tracer.stderr))
        try:
            yield
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)
    finally:
        if tracer.returncode is None:
            tracer.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(_DETACH_S):
                    await tracer.wait()
            except TimeoutError:
                # The kernel lets go of the process when its tracer is gone.
                tracer.kill()
                await tracer.wait()


async def _swallow(stream: asyncio.StreamReader) -> None:
    """A full pipe would stop the tracer, and with it the process."""
    while await stream.read(65_536):
        pass
