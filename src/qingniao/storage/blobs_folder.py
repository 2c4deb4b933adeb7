"""Contents as files of one folder; those on their way are in `incoming/`.

Several processes may share the folder, over a file system that renames atomically. Rule: the name
of a file is given last, after its content is synced.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from qingniao.errors import StartError, StorageError
from qingniao.storage.blobs import CHUNK_BYTES, LIMIT_BYTES, Spool, Stored, named

__all__ = ["FolderBlobs"]

SPARE_BYTES: Final = 64 * 1024 * 1024
"""Left free on the disk: messages matter more than files."""
_LEFT_S: Final = 24 * 3600.0
_INCOMING: Final = "incoming"


class FolderBlobs:
    """`storage.blobs.Blobs` in a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        spare_bytes: int = SPARE_BYTES,
        limit_bytes: int = LIMIT_BYTES,
        is_shared: bool = False,
    ) -> None:
        """`is_shared`: other processes write here too, so what is on its way may be theirs."""
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._spare_bytes = spare_bytes
        self._limit_bytes = limit_bytes
        self._is_shared = is_shared

    def open(self) -> None:
        """Make the folder and remove what a crash left half-way. Blocks: call it at start."""
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            os.utime(self._incoming)  # what the disk, perhaps another machine's, calls now
            now_s = self._incoming.stat().st_mtime
            for left in self._incoming.iterdir():
                if not self._is_shared or now_s - left.stat().st_mtime > _LEFT_S:
                    left.unlink(missing_ok=True)
        except OSError as exc:
            raise StartError(f"The folder of files cannot be written: {exc}") from exc

    async def create(self) -> "FolderWriter":
        """See `Blobs.create`."""
        return await asyncio.to_thread(self._create)

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blobs.read`."""
        try:
            file = await asyncio.to_thread(_open_at, self._folder / named(path), start)
            try:
                left = end - start
                while left > 0:
                    piece = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
                    if not piece:
                        raise StorageError("This file is shorter on disk than it was.")
                    left -= len(piece)
                    yield piece
            finally:
                file.close()
        except OSError as exc:
            raise StorageError("This file is no longer on disk.") from exc

    async def size(self, path: str) -> int | None:
        """See `Blobs.size`."""
        return await asyncio.to_thread(_size, self._folder / named(path))

    async def delete(self, path: str) -> None:
        """See `Blobs.delete`."""
        await asyncio.to_thread(_delete, self._folder / named(path))

    async def list(self, folder: str) -> AsyncIterator[str]:
        """See `Blobs.list`."""
        for name in await asyncio.to_thread(_names, self._folder, named(folder)):
            yield name

    async def close(self) -> None:
        """Nothing is held."""

    def _create(self) -> "FolderWriter":
        try:
            if shutil.disk_usage(self._incoming).free < self._spare_bytes:
                raise StorageError("The disk is nearly full: no more files are taken.")
            path = self._incoming / secrets.token_hex(16)
            spool = Spool(path.open("xb", buffering=0), limit_bytes=self._limit_bytes)
            return FolderWriter(self._folder, path, spool)
        except OSError as exc:
            raise StorageError from exc


class FolderWriter:
    """One content in `incoming/`."""

    def __init__(self, folder: Path, incoming: Path, spool: Spool) -> None:
        self._folder = folder
        self._incoming = incoming
        self._spool = spool

    async def write(self, data: bytes) -> None:
        """See `BlobWriter.write`."""
        await self._spool.write(data)

    async def commit(self, name: str) -> Stored:
        """See `BlobWriter.commit`."""
        return await asyncio.to_thread(self._commit, named(name))

    async def abort(self) -> None:
        """See `BlobWriter.abort`."""
        await asyncio.to_thread(self._abort)

    def _commit(self, name: str) -> Stored:
        self._spool.flush()
        home = self._folder / name
        try:
            os.fsync(self._spool.file.fileno())
            self._spool.close()
            home.parent.mkdir(parents=True, exist_ok=True)
            self._incoming.rename(home)
            # The names are on disk only when their folders are.
            folder = home.parent
            while folder != self._folder:
                _sync_folder(folder)
                folder = folder.parent
            _sync_folder(self._folder)
        except OSError as exc:
            raise StorageError from exc
        return Stored(name, self._spool.size, self._spool.sha256)

    def _abort(self) -> None:
        self._spool.close()
        self._incoming.unlink(missing_ok=True)


def _open_at(path: Path, start: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(start)
    return file


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StorageError("The folder of files cannot be read.") from exc


def _delete(path: Path) -> None:
    try:
        path.unlink()
        _sync_folder(path.parent)
    except (FileNotFoundError, NotADirectoryError):
        pass  # that is what was asked for
    except OSError as exc:
        raise StorageError from exc


def _names(root: Path, folder: str) -> list[str]:
    found = [path for path in (root / folder).rglob("*") if path.is_file()]
    return [path.relative_to(root).as_posix() for path in found]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
