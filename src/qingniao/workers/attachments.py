"""Visitors' files on their way to a bot. Owns how many and how large, and the memory they take.

Rule: the name and the type are those that the upload found, never what a message says; what is too
large, too many or cannot be read in time is named to the bot instead of sent along.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from msgspec import Struct, structs

from qingniao.bots.base import Attachment
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.storage.rows import FileRow

__all__ = ["Attachments", "SentFile"]

FILES: Final = 4
"""With one question: the latest."""
FILE_BYTES: Final = 8 * 1024 * 1024
TOGETHER_BYTES: Final = 64 * 1024 * 1024
"""Contents in memory at once, of all questions under way (policy: refuse)."""
READ_S: Final = 5.0

_log = get_logger("workers")


class SentFile(Struct, frozen=True):
    """A file as a message of the visitor names it."""

    id: str
    name: str


class _Rows(Protocol):
    async def get(self, file: str) -> FileRow | None: ...


class _Contents(Protocol):
    def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]: ...


class Attachments:
    """Lends files for as long as a question is under way."""

    def __init__(self, rows: _Rows, contents: _Contents, *, public_url: str = "") -> None:
        """With a `public_url` platforms that take no uploads may fetch them from there."""
        self._rows = rows
        self._contents = contents
        self._public_url = public_url.rstrip("/")
        self._lent_bytes = 0

    @asynccontextmanager
    async def lent(
        self, sent: Sequence[SentFile], *, with_contents: bool
    ) -> AsyncIterator[tuple[Attachment, ...]]:
        """The latest of `sent`, in order. Without contents only their names."""
        files = [Attachment(name=one.name, media_type="") for one in sent[-FILES:]]
        lent_bytes = 0
        try:
            if with_contents:
                for place, one in enumerate(sent[-FILES:]):
                    row = await self._row(one.id)
                    if row is None or not self._may_lend(row.size):
                        continue
                    lent_bytes += row.size
                    self._lent_bytes += row.size
                    files[place] = await self._filled(files[place], row)
            yield tuple(files)
        finally:
            self._lent_bytes -= lent_bytes

    def _may_lend(self, size: int) -> bool:
        return size <= FILE_BYTES and self._lent_bytes + size <= TOGETHER_BYTES

    async def _row(self, file: str) -> FileRow | None:
        try:
            async with asyncio.timeout(READ_S):
                return await self._rows.get(file)
        except (StorageError, TimeoutError) as exc:
            _log.warning("file_not_lent", error=type(exc).__name__)
            return None

    async def _filled(self, named: Attachment, row: FileRow) -> Attachment:
        content = bytearray()
        try:
            async with asyncio.timeout(READ_S):
                async for piece in self._contents.read(row.path, 0, row.size):
                    content += piece
        except (StorageError, TimeoutError) as exc:
            _log.warning("file_not_lent", error=type(exc).__name__)
            return named
        url = f"{self._public_url}/files/{row.id}" if self._public_url else ""
        return structs.replace(
            named, name=row.name, media_type=row.mime, url=url, content=bytes(content)
        )
