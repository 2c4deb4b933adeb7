"""Keeps what the house understands up with the knowledge base, where several processes answer.

One of them builds a new version, puts it into the store of contents and announces it in the
business database; each of them, the builder too, takes the announced version into a local folder
and swaps it in. Rule: what is in use stays so when anything fails, and nothing rests on being told:
a glance at one row every few seconds finds out.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from qingniao import samples
from qingniao.errors import QingniaoError, StorageError
from qingniao.knowledge.entries import Entry
from qingniao.log import get_logger
from qingniao.storage.blobs import Blobs
from qingniao.storage.versions import KNOWLEDGE, Version, Versions
from qingniao.training import (
    Built,
    NotBuilt,
    encode_corpus,
    has_version,
    open_version,
    prune,
    version_of,
)
from qingniao.workers.learning import BUILD_S, LearningFailed, build_apart
from qingniao.workers.parcels import PARCELS, ParcelDamaged, fetch, parcel_name, put

__all__ = ["SharedLearning"]

_log: Final = get_logger("learning")
LOOK_S: Final = 3.0
WAIT_S: Final = 0.2
"""Between looks while nothing is in use yet: a start waits for it."""
CLAIM_S: Final = 60.0
"""After so long without a word from the builder another one begins."""
RENEW_S: Final = 15.0
RETRY_S: Final = 30.0
"""Before the same content is tried again by this process after it could not be built."""

_FAULTS: Final = (QingniaoError, OSError, TimeoutError)


class SharedLearning:
    """Like `learning.Learning`, for one of several processes. `use` gets each new version."""

    def __init__(
        self,
        folder: Path,
        entries: Callable[[], Awaitable[Sequence[Entry]]],
        use: Callable[[Built], None],
        *,
        versions: Versions,
        blobs: Blobs,
        look_s: float = LOOK_S,
        retry_s: float = RETRY_S,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` keeps the version in use and the one before it; processes of one machine may
        share it."""
        self._folder = folder
        self._entries = entries
        self._use = use
        self._versions = versions
        self._blobs = blobs
        self._look_s = look_s
        self._retry_s = retry_s
        self._timer = timer
        self._me = secrets.token_hex(8)
        self._wanted = asyncio.Event()
        self._failed: tuple[str, float] = ("", 0.0)
        self.version = ""

    def request(self) -> None:
        """Somebody said that there is something new: look now."""
        self._wanted.set()

    async def run(self) -> None:
        """Look whenever told and every few seconds, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # nobody said anything, which proves nothing
            self._wanted.clear()
            try:
                await self.look()
            except _FAULTS as exc:
                _log.error("learning_failed", exc=exc)

    async def learn(self) -> None:
        """Have something in use: the announced version, or the first one, once it is built here or
        elsewhere. Raises `LearningFailed`, `StorageError` or `OSError`."""
        await asyncio.to_thread(_sweep, self._folder)
        until_s = self._timer() + BUILD_S
        while True:
            stands = await self._versions.get(KNOWLEDGE)
            if stands.version:
                await self._take(stands)
            else:
                await self._build(stands)
            if self.version:
                return
            if self._timer() > until_s:
                raise LearningFailed("No other process has built the knowledge base in time.")
            await asyncio.sleep(WAIT_S)

    async def look(self) -> None:
        """Take what is announced, and build if that is out of date and nobody else does."""
        stands = await self._versions.get(KNOWLEDGE)
        if stands.version and stands.version != self.version:
            await self._take(stands)
        if not stands.is_current and self._may_try(stands):
            await self._build(stands)

    async def _take(self, stands: Version) -> None:
        """Put the announced version to use; if its parcel is lost or damaged, it is built again."""
        parcel = parcel_name(stands.version, stands.sha256)
        if not await asyncio.to_thread(has_version, self._folder, stands.version) and (
            await self._blobs.size(parcel) is None
        ):
            await self._build(stands)
            return
        try:
            built = await self._opened(stands)
        except ParcelDamaged:
            # Nobody can ever use it. While it is there, it would be announced once more.
            _log.warning("parcel_damaged", version=stands.version)
            await self._blobs.delete(parcel)
            await self._build(stands)
            return
        self._swap(built)
        await asyncio.to_thread(prune, self._folder, keep=built.version)

    async def _opened(self, stands: Version) -> Built:
        """Bring the announced version here, unless it is here, and open it."""
        await fetch(self._blobs, self._folder, stands.version, stands.sha256)
        try:
            return await asyncio.to_thread(open_version, self._folder, stands.version)
        except NotBuilt:
            # A damaged folder costs one more fetch, not an administrator's evening.
            await asyncio.to_thread(_forget, self._folder / stands.version)
            await fetch(self._blobs, self._folder, stands.version, stands.sha256)
            return await asyncio.to_thread(open_version, self._folder, stands.version)

    async def _build(self, stands: Version) -> None:
        """If it is nobody else's turn: build what the knowledge base is now and announce it."""
        if not await self._versions.claim(KNOWLEDGE, self._me, for_ms=round(CLAIM_S * 1000)):
            return
        renewing = asyncio.create_task(self._keep_claim())
        try:
            await self._announce(stands)
        except _FAULTS:
            self._failed = (stands.source, self._timer())
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            with contextlib.suppress(StorageError):  # then the claim ends by itself
                await self._versions.release(KNOWLEDGE, self._me)

    async def _announce(self, stands: Version) -> None:
        entries = await self._entries()
        corpus = encode_corpus(entries=entries, intents=await asyncio.to_thread(samples.intents))
        version, sha256 = version_of(corpus), stands.sha256
        if version == stands.version and (
            await self._blobs.size(parcel_name(version, sha256)) is not None
        ):
            # Changed and changed back, or imported once more.
            await self._versions.announce(
                KNOWLEDGE, version=version, sha256=sha256, source=stands.source
            )
            return
        if not await asyncio.to_thread(has_version, self._folder, version):
            source = self._folder / f".corpus.{self._me}.json"
            try:
                await build_apart(corpus, source, self._folder)
            finally:
                await asyncio.to_thread(source.unlink, missing_ok=True)
        built = await asyncio.to_thread(open_version, self._folder, version)
        sha256 = await put(self._blobs, self._folder, version)
        if not await self._versions.announce(
            KNOWLEDGE, version=version, sha256=sha256, source=stands.source
        ):
            return  # the knowledge base has changed meanwhile: the next look builds that
        self._swap(built)
        _log.info("announced", version=version, entries=len(entries))
        newest = parcel_name(version, sha256)
        await self._tidy(keep={newest, parcel_name(stands.version, stands.sha256)})

    async def _keep_claim(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(StorageError):  # there are three more tries
                await self._versions.claim(KNOWLEDGE, self._me, for_ms=round(CLAIM_S * 1000))

    async def _tidy(self, keep: set[str]) -> None:
        """Forget parcels but the newest and the one before it, which may be on its way to some."""
        try:
            for name in [name async for name in self._blobs.list(PARCELS)]:
                if name not in keep:
                    await self._blobs.delete(name)
        except StorageError as exc:
            _log.warning("parcels_not_removed", reason=str(exc))

    def _swap(self, built: Built) -> None:
        self._use(built)
        self.version = built.version
        _log.info("learnt", version=built.version)

    def _may_try(self, stands: Version) -> bool:
        source, at_s = self._failed
        return source != stands.source or self._timer() - at_s >= self._retry_s or not at_s


def _sweep(folder: Path) -> None:
    """Remove what a crash left half-way: too old to be another process's work."""
    with contextlib.suppress(OSError):
        os.utime(folder)  # what the disk, perhaps another machine's, calls now
        now_s = folder.stat().st_mtime
        for path in folder.glob(".*"):
            if now_s - path.stat().st_mtime > 2 * BUILD_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
