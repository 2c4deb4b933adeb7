"""Contents of files and of everything else that is too large for a row: the port, and what goes
for each engine (`blobs_folder.py`, `blobs_s3.py`, `blobs_database.py`). Knows no types.

Rule: a content appears under its name whole and durable, or not at all, and then never changes:
a name is given once, and giving it again is only for the same content. Names come from the caller:
one to four parts of letters, digits, `-`, `_` and `.`, so that no path out of the store can be made
of them.
"""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO, Final, Protocol

from msgspec import Struct

from qingniao.errors import StorageError

__all__ = [
    "CHUNK_BYTES",
    "LIMIT_BYTES",
    "BlobWriter",
    "Blobs",
    "Spool",
    "SpoolWriter",
    "Stored",
    "named",
]

CHUNK_BYTES: Final = 256 * 1024
LIMIT_BYTES: Final = 1024 * 1024 * 1024
"""No content is larger: what is taken from people has far smaller limits of its own."""

_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_NAME: Final = re.compile(rf"{_PART}(/{_PART}){{0,3}}")


class Stored(Struct, frozen=True):
    """A content that is kept. `path` is the name it is read by."""

    path: str
    size: int
    sha256: str


class BlobWriter(Protocol):
    """A content on its way in. Exactly one of `commit` and `abort` ends it."""

    async def write(self, data: bytes) -> None:
        """Append. Raises `StorageError` when the disk refuses or it becomes too large."""
        ...

    async def commit(self, name: str) -> Stored:
        """Make it durable and appear under `name`. Raises `StorageError`, also when the store did
        not answer in time; then it may or may not be there, and may be given again."""
        ...

    async def abort(self) -> None:
        """Leave nothing behind. Idempotent, and harmless after `commit`."""
        ...


class Blobs(Protocol):
    """A store of contents by name. Everything has a deadline and raises `StorageError` after it."""

    async def create(self) -> BlobWriter:
        """Begin a content. Raises `StorageError` when there is no room."""
        ...

    def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, in pieces. Raises `StorageError` if it is gone or
        shorter than `end`."""
        ...

    async def size(self, path: str) -> int | None:
        """How many bytes it has; `None` if there is no such content."""
        ...

    async def delete(self, path: str) -> None:
        """Forget it. Nothing happens if there is no such content."""
        ...

    def list(self, folder: str) -> AsyncIterator[str]:
        """The names that begin with `folder` and a slash, in no order."""
        ...

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...


class Spool:
    """Gathers a content in a file of this machine while it comes in. Small writes are joined: a
    thread per kilobyte would cost more than the disk."""

    def __init__(self, file: BinaryIO, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.file = file
        self._limit_bytes = limit_bytes
        self._gathered = bytearray()
        self._sha256 = hashlib.sha256()
        self.size = 0

    @classmethod
    def temporary(cls, *, limit_bytes: int = LIMIT_BYTES) -> "Spool":
        """In a file without a name, which is gone when it is closed or the process ends."""
        try:
            return cls(tempfile.TemporaryFile(buffering=0), limit_bytes=limit_bytes)
        except OSError as exc:
            raise StorageError("The folder for temporary files cannot be written.") from exc

    @property
    def sha256(self) -> str:
        """Of everything that was flushed, in hexadecimal."""
        return self._sha256.hexdigest()

    async def write(self, data: bytes) -> None:
        """See `BlobWriter.write`."""
        if self.size + len(self._gathered) + len(data) > self._limit_bytes:
            raise StorageError(f"A content may not have more than {self._limit_bytes} bytes.")
        self._gathered += data
        if len(self._gathered) >= CHUNK_BYTES:
            await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Everything into the file. Blocks."""
        data = memoryview(bytes(self._gathered))
        self._gathered.clear()
        self._sha256.update(data)
        self.size += len(data)
        try:
            while data:
                data = data[self.file.write(data) :]
        except OSError as exc:
            raise StorageError from exc

    def rewind(self) -> None:
        """Everything into the file, to be read from its beginning. Blocks."""
        self.flush()
        self.file.seek(0)

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self.file.close()


class SpoolWriter:
    """`BlobWriter` of a store that is given a content whole, once all of it has been gathered."""

    def __init__(self, spool: Spool, give: Callable[[str, Spool], Awaitable[None]]) -> None:
        """`give` stores under a name what can be read from the spool's file."""
        self._spool = spool
        self._give = give

    async def write(self, data: bytes) -> None:
        """See `BlobWriter.write`."""
        await self._spool.write(data)

    async def commit(self, name: str) -> Stored:
        """See `BlobWriter.commit`."""
        named(name)
        spool = self._spool
        await asyncio.to_thread(spool.rewind)
        await self._give(name, spool)
        spool.close()
        return Stored(name, spool.size, spool.sha256)

    async def abort(self) -> None:
        """See `BlobWriter.abort`."""
        self._spool.close()


def named(name: str) -> str:
    """The name, if it is one. Raises `ValueError`."""
    if not _NAME.fullmatch(name):
        raise ValueError("a blob's name has one to four parts of letters, digits, -, _ and .")
    return name
