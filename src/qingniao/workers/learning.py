"""Keeps what the house understands up with the knowledge base. Owns the heavy child process.

Rule: the event loop never trains; it opens what a child process of low priority has built
(`qingniao.training`), and swaps it in at once. What is in use stays so when anything fails.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from qingniao import samples
from qingniao.errors import QingniaoError
from qingniao.knowledge.entries import Entry
from qingniao.log import get_logger
from qingniao.training import Built, current_version, encode_corpus, open_current, version_of

__all__ = ["BUILD_S", "Learning", "LearningFailed", "build_apart"]

_log: Final = get_logger("learning")
BUILD_S: Final = 600.0
_NICE: Final = 10


class LearningFailed(QingniaoError):
    """The knowledge base could not be indexed; the previous one stays in use."""

    code = "learning"
    temporary = True


class Learning:
    """Builds and opens versions in `folder`; `use` gets each new one."""

    def __init__(
        self,
        folder: Path,
        entries: Callable[[], Awaitable[Sequence[Entry]]],
        use: Callable[[Built], None],
    ) -> None:
        self._folder = folder
        self._entries = entries
        self._use = use
        self._wanted = asyncio.Event()
        self.version = ""

    def request(self) -> None:
        """The knowledge base has changed: learn it soon. Requests meanwhile are one."""
        self._wanted.set()

    async def run(self) -> None:
        """Learn whenever asked, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.learn()
            except (QingniaoError, OSError, TimeoutError) as exc:
                _log.error("learning_failed", exc=exc)

    async def learn(self) -> None:
        """Make what is in use match the knowledge base. Raises `LearningFailed`."""
        entries = await self._entries()
        corpus = encode_corpus(entries=entries, intents=await asyncio.to_thread(samples.intents))
        wanted = version_of(corpus)
        if wanted == self.version:
            return
        if await asyncio.to_thread(current_version, self._folder) != wanted:
            await self._build(corpus)
        try:
            built = await asyncio.to_thread(open_current, self._folder)
        except QingniaoError:
            # A damaged folder costs one more build, not an administrator's evening.
            await asyncio.to_thread(_forget, self._folder)
            await self._build(corpus)
            built = await asyncio.to_thread(open_current, self._folder)
        self._use(built)
        self.version = built.version
        _log.info("learnt", version=built.version, entries=len(entries))

    async def _build(self, corpus: bytes) -> None:
        await build_apart(corpus, self._folder / "corpus.json", self._folder)


async def build_apart(corpus: bytes, source: Path, folder: Path) -> None:
    """Build `corpus`, which is written to `source`, into `folder` in a child process. Raises
    `LearningFailed`."""
    await asyncio.to_thread(_write, source, corpus)
    child = await asyncio.to_thread(_start, source, folder)
    try:
        _, said = await asyncio.to_thread(child.communicate, timeout=BUILD_S)
    except subprocess.TimeoutExpired as exc:
        raise LearningFailed(f"Indexing took more than {BUILD_S:.0f} s.") from exc
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.to_thread(child.wait)
    if child.returncode != 0:
        raise LearningFailed(f"Indexing failed: {said.decode(errors='replace')[-500:].strip()}")


def _start(source: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start the child without copying this process, which takes long when it holds much.

    The event loop's own way is `fork`: 15,000 connections stood still for 60 ms of it. This one is
    `vfork`; nothing that is open here is inherited, so nothing has to be closed one by one.
    """
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "qingniao.workers.heavy", str(source), str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        close_fds=False,
    )  # fmt: skip
    # From its first instruction on: an interpreter that starts takes a core for a while.
    with contextlib.suppress(OSError):  # it may have ended
        os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
    # A nice process still finishes its turn, milliseconds, when the sockets want the core back.
    with contextlib.suppress(AttributeError, OSError):  # not every system has it, or allows it
        os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))
    return child


def _write(source: Path, corpus: bytes) -> None:
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(corpus)


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
