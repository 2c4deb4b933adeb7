"""`qingniao migrate-store`: an installation of one process moves to PostgreSQL while it serves.

Owns the order of the steps; the copying itself is in `storage` (`message_export.py`,
`message_import.py`, `copy_tables.py`). Rule: the old installation stays whole and in charge until
everything has been compared; after that it never writes again.

It copies in passes while people talk, compares every conversation by a digest of its entries, asks
the server to stand still, copies and compares what is left, and hands over. Run again after any
failure it goes on where it was.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.config import Config
from qingniao.errors import ConfigError, StartError, StorageError
from qingniao.runtime.standstill import MOVED, PAUSE, PAUSED
from qingniao.runtime.stores import open_blobs
from qingniao.storage.blobs import Blobs
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.copy_tables import copy_tables, count_rows
from qingniao.storage.database import Database
from qingniao.storage.files import Files
from qingniao.storage.keys import SharedKeys
from qingniao.storage.message_export import Found, LogExport
from qingniao.storage.message_import import LogImport, Moved, digest

__all__ = ["Moves", "migrate_store"]

_BATCH: Final = 200
_BATCH_BYTES: Final = 8 << 20
_PASSES: Final = 6
"""Passes while it serves, at most: each has less to copy than the one before."""
_SMALL: Final = 500
"""Conversations in a pass that are few enough for the pause."""
_ANSWER_S: Final = 15.0
_TOUCH_S: Final = 1.0

Say = Callable[[str], None]


class Moves(Struct):
    """What came of it."""

    conversations: int = 0
    entries: int = 0
    rows: int = 0
    files: int = 0
    pause_s: float = 0.0


async def migrate_store(config: Config, say: Say) -> Moves:
    """Move `config.data` to `config.database.url`. Raises `StartError`, `ConfigError` or
    `StorageError`; then nothing has changed for those who use the installation."""
    if not config.database.url:
        raise ConfigError(
            "Say where to: QINGNIAO_DATABASE_URL=postgresql://user:password@host/name"
        )
    data = Path(config.data)
    folder = data / "move"
    source_id = await asyncio.to_thread(_source_id, data)
    async with AsyncExitStack() as stack:
        source = await Database.open(data / "qingniao.db")
        stack.push_async_callback(source.close)
        tables = await Database.connect(config.database.url)
        stack.push_async_callback(tables.close)
        is_used = any((await count_rows(tables)).values())
        target = await LogImport.begin(config.database.url, source_id, is_used=is_used)
        stack.push_async_callback(target.close)
        blobs: Blobs | None = None
        if config.blobs.url:
            blobs = await open_blobs(config, tables)
            stack.push_async_callback(blobs.close)
        move = _Move(data, source, target, tables, blobs, say)
        await move.while_serving()
        began = time.monotonic()
        if await asyncio.to_thread((folder / MOVED).exists):
            await move.at_rest()  # the last run came as far as that
        else:
            async with _still(data, say) as hand_over:
                await move.at_rest()
                await hand_over()
        move.done.pause_s = round(time.monotonic() - began, 1)
        await target.finish()
        return move.done


class _Move:
    """One run: what is known to be there, and to be equal."""

    def __init__(
        self,
        data: Path,
        source: Database,
        target: LogImport,
        tables: Database,
        blobs: Blobs | None,
        say: Say,
    ) -> None:
        """Without `blobs` the files stay in their folder."""
        self._data = data
        self._source = source
        self._target = target
        self._tables = tables
        self._blobs = blobs
        self._say = say
        self._lasts: dict[int, int] = {}
        self._copied: dict[int, int] = {}
        """Conversations, by what they were found like when they were copied."""
        self._compared: dict[int, int] = {}
        """Conversations, by the `seq` up to which they were compared."""
        self.done = Moves()

    async def while_serving(self) -> None:
        """Copy until little is left, and compare all of that."""
        self._lasts = await self._target.lasts()
        for number in range(1, _PASSES + 1):
            self.done.rows += await copy_tables(self._source, self._tables)
            self.done.files += await self._copy_files()
            changed = await self._pass()
            self._say(f"pass {number}: {changed} conversations, {self.done.entries} entries so far")
            if changed < _SMALL:
                break
        await self._compare()
        self._say(f"compared: {len(self._compared)} conversations are equal")

    async def at_rest(self) -> None:
        """Copy and compare what is left, now that nobody writes."""
        self.done.rows += await copy_tables(self._source, self._tables)
        self.done.files += await self._copy_files()
        await self._pass()
        await self._compare()
        await SharedKeys.open(self._tables, seed=self._data / "keys")
        if await copy_tables(self._source, self._tables):
            raise StorageError("The business tables differ although nobody writes.")
        ours, theirs = await count_rows(self._source), await count_rows(self._tables)
        if ours != theirs:
            raise StorageError(f"The business tables differ: {ours} here, {theirs} there.")
        conversations, lasts, entries = await self._target.totals()
        here = (len(self._compared), sum(self._compared.values()))
        if (conversations, lasts) != here or entries != lasts:
            raise StorageError(
                f"The message logs differ: {here[0]} conversations with {here[1]} entries here, "
                f"{conversations} with {lasts} ({entries}) there."
            )
        self.done.conversations = conversations
        self._say(f"all equal: {conversations} conversations, {entries} entries, "
                  f"{sum(ours.values())} rows")  # fmt: skip

    async def _pass(self) -> int:
        """Copy the conversations that have changed since they were copied; returns how many."""
        export = await asyncio.to_thread(LogExport, self._data / "messages")
        try:
            changed = 0
            batches = self._batches(export)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                found, moved = batch
                await self._target.put(moved)
                for one in found:
                    self._lasts[one.conversation] = one.last
                    self._copied[one.conversation] = hash(one)
                changed += len(found)
                self.done.entries += sum(len(one.records) for one in moved)
            return changed
        finally:
            await asyncio.to_thread(export.close)

    def _batches(self, export: LogExport) -> Iterator[tuple[list[Found], list[Moved]]]:
        found: list[Found] = []
        moved: list[Moved] = []
        size = 0
        for one in export.found():
            if self._copied.get(one.conversation) == hash(one) or not one.last:
                continue
            records = export.records(
                one.conversation, self._lasts.get(one.conversation, 0), 1 << 62
            )
            found.append(one)
            moved.append(
                Moved(
                    export.head(one.conversation), records, export.devices(one.conversation),
                    one.owes_index,
                )
            )  # fmt: skip
            size += sum(len(record) for _, record in records)
            if len(found) >= _BATCH or size >= _BATCH_BYTES:
                yield found, moved
                found, moved, size = [], [], 0
        if found:
            yield found, moved

    async def _compare(self) -> None:
        """Compare all entries of every conversation that has more than were compared."""
        export = await asyncio.to_thread(LogExport, self._data / "messages")
        try:
            todo = [c for c, last in self._lasts.items() if self._compared.get(c) != last]
            for begin in range(0, len(todo), _BATCH):
                step = todo[begin : begin + _BATCH]
                ours = await asyncio.to_thread(self._digests, export, step)
                theirs = await self._target.digests(step)
                for conversation in step:
                    if ours[conversation] != theirs.get(conversation):
                        raise StorageError(f"Conversation {conversation} is not the same there.")
                    self._compared[conversation] = self._lasts[conversation]
        finally:
            await asyncio.to_thread(export.close)

    def _digests(
        self, export: LogExport, conversations: Sequence[int]
    ) -> dict[int, tuple[int, bytes]]:
        digests = {}
        for conversation in conversations:
            records = export.records(conversation, 0, self._lasts[conversation])
            digests[conversation] = len(records), digest(record for _, record in records)
        return digests

    async def _copy_files(self) -> int:
        """Contents that are not there yet, each compared by the digest it was stored with."""
        if self._blobs is None:
            return 0
        folder = FolderBlobs(self._data / "files")
        copied = 0
        for file in await Files(self._source).all():
            if await self._blobs.size(file.path) == file.size:
                continue
            writer = await self._blobs.create()
            try:
                async for piece in folder.read(file.path, 0, file.size):
                    await writer.write(piece)
                stored = await writer.commit(file.path)
            finally:
                await writer.abort()
            if stored.sha256 != file.sha256:
                raise StorageError(f"The file {file.id} is not what was uploaded.")
            copied += 1
        return copied


@asynccontextmanager
async def _still(data: Path, say: Say) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Nobody writes in here. What is yielded hands over: after it nobody ever writes here again."""
    folder = data / "move"
    nonce = secrets.token_hex(8)
    pause = folder / PAUSE
    lock = await asyncio.to_thread(_lock, data)
    await asyncio.to_thread(pause.write_text, nonce, "utf-8")
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


def _source_id(data: Path) -> str:
    """The id of this installation, the same in every run."""
    if not (data / "messages" / "CURRENT").exists():
        raise StartError(f"There is no installation in {data}: set QINGNIAO_DATA to its folder.")
    path = data / "move" / "id"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_hex(16), "utf-8")
    return path.read_text("utf-8")
