"""Keeps what the house understands up with the knowledge base. Owns the heavy child process.

What is learnt lies in one folder per version, named by the digest of its source; a `manifest.json`
in it, written last, says that it is whole. Rule: the event loop never trains; it opens what a child
process of low priority has built, and swaps it in at once.
"""

import asyncio
import hashlib
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from qingniao.errors import QingniaoError
from qingniao.knowledge.entries import Entry
from qingniao.log import get_logger
from qingniao.workers.heavy import MANIFEST

__all__ = ["Learning", "LearningFailed"]

_log: Final = get_logger("learning")
_BUILD_S: Final = 600.0
_KEPT: Final = 2


class LearningFailed(QingniaoError):
    """The knowledge base could not be indexed; the previous one stays in use."""

    code = "learning"
    temporary = True


class Learning:
    """Builds, loads and swaps versions; `load` gets the folder and the version's name."""

    def __init__(
        self,
        folder: Path,
        entries: Callable[[], Awaitable[Sequence[Entry]]],
        load: Callable[[Path, str], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._entries = entries
        self._load = load
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
        """Make what is loaded match the knowledge base. Raises `LearningFailed`."""
        entries = await self._entries()
        source = msgspec.json.encode({"entries": entries})
        version = hashlib.blake2b(source, digest_size=8).hexdigest()
        if version == self.version:
            return
        target = self._folder / version
        if not await asyncio.to_thread((target / MANIFEST).is_file):
            await self._build(source, target)
        await self._load(target, version)
        self.version = version
        _log.info("learnt", version=version, entries=len(entries))
        await asyncio.to_thread(self._tidy, version)

    async def _build(self, source: bytes, target: Path) -> None:
        await asyncio.to_thread(_prepare, self._folder, target)
        path = target.with_suffix(".source.json")
        await asyncio.to_thread(path.write_bytes, source)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qingniao.workers.heavy", str(path), str(target),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_BUILD_S):
                _, said = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
            await asyncio.to_thread(path.unlink, missing_ok=True)
        if child.returncode != 0:
            raise LearningFailed(f"Indexing failed: {said.decode(errors='replace')[-500:].strip()}")

    def _tidy(self, current: str) -> None:
        """Keep the newest versions: going back to the last one costs nothing."""
        folders = [f for f in self._folder.iterdir() if f.is_dir() and f.name != current]
        for folder in sorted(folders, key=lambda f: f.stat().st_mtime)[: -(_KEPT - 1) or None]:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, target: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Left by a crash: there is no manifest in it.
    shutil.rmtree(target, ignore_errors=True)
