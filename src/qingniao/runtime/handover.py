"""Asking the server of a data folder to stand still, and taking the installation over from it.

The other side of `standstill.py`. Owns the request while it lasts, and the lock where no server
runs; refuses to copy anything. Rule: whoever asks keeps saying that they are there, and has the
installation only by renaming `pause`: the server may have taken it back.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from qingniao.errors import StartError, StorageError
from qingniao.runtime.standstill import MOVED, PAUSE, PAUSED

__all__ = ["standing_still"]

_ANSWER_S: Final = 15.0
_TOUCH_S: Final = 1.0


@asynccontextmanager
async def standing_still(
    data: Path, say: Callable[[str], None]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Nobody writes in `data`. What is yielded hands over: after it nobody ever writes there again.
    Raises `StartError` if the server does not answer; handing over, `StorageError`."""
    folder = data / "move"
    nonce = secrets.token_hex(8)
    pause = folder / PAUSE
    lock = await asyncio.to_thread(_lock, data)
    await asyncio.to_thread(_write_whole, pause, nonce)
    touching = asyncio.create_task(_touch(pause))
    try:
        if lock is None:
            say("asking the server to stand still")
            await _answered(folder / PAUSED, nonce)
        else:
            say("no server runs here")

        async def hand_over() -> None:
            touching.cancel()
            try:
                await asyncio.to_thread(pause.rename, folder / MOVED)
            except OSError as exc:
                raise StorageError("The server did not wait any longer: try again.") from exc

        yield hand_over
    finally:
        touching.cancel()
        await asyncio.gather(touching, return_exceptions=True)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(pause.unlink)
        if lock is not None:
            lock.close()


def _write_whole(path: Path, text: str) -> None:
    """The server may look at any moment: it must not find half of it."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, "utf-8")
    draft.replace(path)


async def _answered(paused: Path, nonce: str) -> None:
    try:
        async with asyncio.timeout(_ANSWER_S):
            while True:
                with contextlib.suppress(OSError):
                    if await asyncio.to_thread(paused.read_text, "utf-8") == nonce:
                        return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise StartError(
            "The server that uses this folder does not answer: stop it, and run this again."
        ) from None


async def _touch(pause: Path) -> None:
    """Say that we are still there, for as long as nobody has taken the file away."""
    while True:
        await asyncio.sleep(_TOUCH_S)
        with contextlib.suppress(OSError):
            # Not `touch`: that would bring back what the server has taken away.
            await asyncio.to_thread(os.utime, pause)


def _lock(data: Path) -> "_Lock | None":
    """The lock of the log's engine, if no server has it; none starts while it is held."""
    lock = _Lock(data / "messages" / "LOCK")
    return lock if lock.take() else None


class _Lock:
    """A lock as RocksDB takes it: of a process, until the file is closed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")

    def take(self) -> bool:
        """Whether nobody else has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            return False
        return True

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
