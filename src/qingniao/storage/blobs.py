"""Contents of files. Owns a folder; knows neither names nor types.

Rule: a content appears under its id whole and synced, or not at all. Ids come from the caller and
consist of letters, digits, `-` and `_` only, so that no path can be made of them.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from msgspec import Struct

from qingniao.errors import StartError, StorageError

__all__ = ["BlobWriter", "Blobs", "FolderBlobs", "Stored"]

CHUNK_BYTES: Final = 256 * 1024
SPARE_BYTES: Final = 64 * 1024 * 1024
"""Left free on the disk: messages matter more than files."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Stored(Struct, frozen=True):
    """A content that is on disk. `path` is relative to the store."""

    path: str
    size: int
    sha256: str


class BlobWriter(Protocol):
    """A content on its way in. Exactly one of `commit` and `abort` ends it."""

    async def write(self, data: bytes) -> None:
        """Append. Raises `StorageError` when the disk refuses."""
        ...

    async def commit(self, blob: str) -> Stored:
        """Sync it and make it appear under the id."""
        ...

    async def abort(self) -> None:
        """Leave nothing behind. Idempotent, and harmless after `commit`."""
        ...


class Blobs(Protocol):
    """A store of contents by id."""

    async def create(self) -> BlobWriter:
        """Begin a content. Raises `StorageError` when there is no room."""
        ...

    def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, in pieces. Raises `StorageError` if it is gone."""
        ...


class FolderBlobs:
    """Contents as files: `<first two of the id>/<id>`; those on their way are in `incoming/`."""

    def __init__(self, folder: Path, *, spare_bytes: int = SPARE_BYTES) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._spare_bytes = spare_bytes

    def open(self) -> None:
        """Make the folder and remove what a crash left half-way. Blocks: call it at start."""
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for left in self._incoming.iterdir():
                left.unlink()
        except OSError as exc:
            raise StartError(f"The folder of files cannot be written: {exc}") from exc

    async def create(self) -> "FolderWriter":
        return await asyncio.to_thread(self._create)

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(_open_at, self._folder / path, start)
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

    def _create(self) -> "FolderWriter":
        try:
            if shutil.disk_usage(self._incoming).free < self._spare_bytes:
                raise StorageError("The disk is nearly full: no more files are taken.")
            path = self._incoming / secrets.token_hex(16)
            return FolderWriter(self._folder, path, path.open("xb", buffering=0))
        except OSError as exc:
            raise StorageError from exc


class FolderWriter:
    """One content in `incoming/`. Small writes are gathered: a thread per kilobyte would cost more
    than the disk."""

    def __init__(self, folder: Path, incoming: Path, file: BinaryIO) -> None:
        self._folder = folder
        self._incoming = incoming
        self._file = file
        self._gathered = bytearray()
        self._sha256 = hashlib.sha256()
        self._size = 0

    async def write(self, data: bytes) -> None:
        self._gathered += data
        if len(self._gathered) >= CHUNK_BYTES:
            await asyncio.to_thread(self._flush)

    async def commit(self, blob: str) -> Stored:
        if not _ID.fullmatch(blob):
            raise ValueError("a blob's id has 8 to 64 letters, digits, - or _")
        return await asyncio.to_thread(self._commit, blob)

    async def abort(self) -> None:
        await asyncio.to_thread(self._abort)

    def _flush(self) -> None:
        data = memoryview(bytes(self._gathered))
        self._gathered.clear()
        self._sha256.update(data)
        self._size += len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as exc:
            raise StorageError from exc

    def _commit(self, blob: str) -> Stored:
        self._flush()
        path = f"{blob[:2]}/{blob}"
        home = self._folder / path
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            home.parent.mkdir(exist_ok=True)
            self._incoming.rename(home)
            # The names are on disk only when their folders are.
            for folder in (home.parent, self._folder):
                _sync_folder(folder)
        except OSError as exc:
            raise StorageError from exc
        return Stored(path, self._size, self._sha256.hexdigest())

    def _abort(self) -> None:
        self._file.close()
        self._incoming.unlink(missing_ok=True)


def _open_at(path: Path, start: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(start)
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
