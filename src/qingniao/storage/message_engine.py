"""The opened RocksDB under the message log: reads, the one writer, and getting well again.

Owns the engine's handle and the thread that writes; refuses to know what an entry means. Rule: a
write that failed says nothing about what is on disk: the engine is opened again before the next
one, and what was in memory is read anew.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rocksdict import AccessType, DbClosedError, Rdict, RdictIter, WriteBatch, WriteOptions

from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.storage.message_keys import entry_key, marks_prefix, start_error
from qingniao.storage.message_options import engine_options
from qingniao.storage.message_runway import Runway
from qingniao.storage.message_sync import LogSync

__all__ = ["Engine"]

_MEND_S: Final = 1.0
"""Pause between attempts to open the engine again after a failed write."""
_PROBE_BYTES: Final = 1 << 20
"""Room that the disk must have for such an attempt: opening writes a little itself."""

_log: Final = get_logger("storage")


class Engine:
    """One folder, opened once, for one process."""

    def __init__(self, path: Path, on_reopened: Callable[[], None]) -> None:
        """Raises `StartError` when the folder is in use, read-only, full or damaged."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), engine_options())
        except Exception as exc:  # rocksdict raises bare Exception with the engine's sentence
            raise start_error(path, exc) from exc
        self._path = path
        self._on_reopened = on_reopened
        self._is_broken = False
        self._mend_at = 0.0
        self._options = WriteOptions()
        self._runway = Runway(path)
        self._sync = LogSync(path)
        # One writer thread: fsync must not hold up the loop, and batches must not overtake.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._writer.submit(self._runway.open)  # the first write waits for it, the start does not
        self.is_closed = False

    def get(self, key: bytes) -> bytes | None:
        """What is stored under a key. Raises `StorageError`."""
        try:
            return self._db.get(key)
        except DbClosedError as exc:
            raise StorageError("The message log cannot be read at the moment.") from exc

    def records(self, conversation: int, after: int, limit: int) -> Iterator[bytes]:
        """Up to `limit` records with `seq` > `after`, ascending. Raises `StorageError`."""
        prefix = entry_key(conversation, 0)[:9]
        cursor = self._cursor()
        cursor.seek(entry_key(conversation, after + 1))
        while limit > 0 and cursor.valid():
            if cursor.key()[:9] != prefix:
                return
            yield cursor.value()
            cursor.next()
            limit -= 1

    def marks(self, role: Role) -> set[int]:
        """The conversations that carry a role's mark. Raises `StorageError`."""
        prefix = marks_prefix(role)
        marks: set[int] = set()
        cursor = self._cursor()
        cursor.seek(prefix)
        while cursor.valid() and cursor.key()[:2] == prefix:
            marks.add(int.from_bytes(cursor.key()[2:], "big"))
            cursor.next()
        return marks

    def _cursor(self) -> RdictIter:
        try:
            return self._db.iter()
        except DbClosedError as exc:
            raise StorageError("The message log cannot be read at the moment.") from exc

    async def write(self, batch: WriteBatch, *, sync: bool) -> None:
        """Write all of it or nothing; with `sync` it is on disk when this returns. Raises
        `StorageError`. Cancelled, it ends when the write has."""
        if self.is_closed:
            raise StorageError("The message log is closed.")
        await self.mend()
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._writer, self._write, batch, sync)
        try:
            # Cancelling the caller must not leave it unknown whether the batch is on disk.
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        except Exception as exc:  # rocksdict raises bare Exception
            # Also when only the sync failed: the system may have let go of what it could not write,
            # and a second sync would say that all is well.
            self._is_broken = True
            raise StorageError(f"The message log cannot be written: {exc}") from exc

    def _write(self, batch: WriteBatch, sync: bool) -> None:
        self._runway.prepare(batch.size_in_bytes(), sync=sync)
        self._db.write(batch, self._options)  # into the system's cache
        if sync:
            self._sync.sync()

    async def mend(self) -> None:
        """After a failed write the engine refuses every other: open it again. Raises
        `StorageError` while that is not possible; what is stored can be read meanwhile."""
        if not self._is_broken:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._mend_at:
            raise StorageError
        self._mend_at = loop.time() + _MEND_S
        # Nobody writes while it is broken; what was under way before has to end first.
        try:
            # A handle that cannot write can still read: keep it until the disk takes bytes again.
            await loop.run_in_executor(self._writer, _probe, self._path)
        except OSError as exc:
            raise StorageError(f"The message log cannot be written: {exc.strerror}.") from exc
        self._close_handle()  # it cannot write, so it may not be able to tidy up
        try:
            # What is read from its log files is written to tables, and synced, before it opens.
            self._db = Rdict(str(self._path), engine_options())
        except Exception as exc:
            with contextlib.suppress(Exception):  # not even readable: the next try may be
                self._db = Rdict(
                    str(self._path), engine_options(), access_type=AccessType.read_only()
                )
            raise StorageError(f"The message log cannot be written: {exc}") from exc
        self._is_broken = False
        self._writer.submit(self._runway.open)
        self._on_reopened()
        _log.info("log_mended")

    def close(self) -> None:
        """Let what is being written end, and let go of the files."""
        self.is_closed = True
        self._writer.shutdown(wait=True)
        self._close_handle()  # what was promised is on disk already

    def _close_handle(self) -> None:
        self._sync.close()
        try:
            self._db.close()
        except Exception as exc:
            _log.warning("log_close_failed", reason=str(exc))


def _probe(path: Path) -> None:
    """Does the disk take bytes? Raises `OSError`."""
    probe = path / ".writable"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
