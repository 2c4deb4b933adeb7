"""Contents as rows of the business database, for installations without an object store.

Owns two tables; refuses to be fast: every byte goes through the database's own log. Rule: a
content and its pieces are written in one transaction, and read a piece at a time.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import delete, insert, select

from qingniao.errors import StorageError
from qingniao.storage.blobs import CHUNK_BYTES, Spool, SpoolWriter, named
from qingniao.storage.database import Database, upsert
from qingniao.storage.models import blob_pieces, blobs

__all__ = ["DatabaseBlobs"]

LIMIT_BYTES: Final = 256 * 1024 * 1024
"""One transaction: more than this belongs into an object store."""


class DatabaseBlobs:
    """`storage.blobs.Blobs` in the tables `blobs` and `blob_pieces`."""

    def __init__(self, database: Database, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._database = database
        self._limit_bytes = limit_bytes

    async def create(self) -> SpoolWriter:
        """See `Blobs.create`."""
        spool = await asyncio.to_thread(Spool.temporary, limit_bytes=self._limit_bytes)
        return SpoolWriter(spool, self._put)

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blobs.read`."""
        size = await self.size(path)
        if size is None:
            raise StorageError("This file is no longer in the database.")
        if size < end:
            raise StorageError("This file is shorter in the database than it was.")
        at = start
        while at < end:
            number, offset = divmod(at, CHUNK_BYTES)
            query = select(blob_pieces.c.data).where(
                blob_pieces.c.path == path, blob_pieces.c.number == number
            )
            async with self._database.read() as connection:
                data = await connection.scalar(query)
            if data is None:
                raise StorageError("This file is no longer in the database.")
            piece = bytes(data)[offset : offset + end - at]
            at += len(piece)
            yield piece

    async def size(self, path: str) -> int | None:
        """See `Blobs.size`."""
        async with self._database.read() as connection:
            query = select(blobs.c.size).where(blobs.c.path == named(path))
            size = await connection.scalar(query)
        return None if size is None else int(size)

    async def delete(self, path: str) -> None:
        """See `Blobs.delete`."""
        async with self._database.write() as connection:
            await connection.execute(delete(blobs).where(blobs.c.path == named(path)))
            await connection.execute(delete(blob_pieces).where(blob_pieces.c.path == path))

    async def list(self, folder: str) -> AsyncIterator[str]:
        """See `Blobs.list`."""
        query = select(blobs.c.path).where(
            blobs.c.path.startswith(f"{named(folder)}/", autoescape=True)
        )
        async with self._database.read() as connection:
            names = [str(row[0]) for row in await connection.execute(query)]
        for name in names:
            yield name

    async def close(self) -> None:
        """The database belongs to somebody else."""

    async def _put(self, name: str, spool: Spool) -> None:
        row = {"path": name, "size": spool.size, "sha256": spool.sha256}
        async with self._database.write() as connection:
            # First the row of the whole: whoever gives the same name at once waits here.
            statement = upsert(connection, blobs)
            statement = statement.on_conflict_do_update(
                index_elements=[blobs.c.path],
                set_={key: statement.excluded[key] for key in ("size", "sha256")},
            )
            await connection.execute(statement, row)
            await connection.execute(delete(blob_pieces).where(blob_pieces.c.path == name))
            number = 0
            while data := await asyncio.to_thread(spool.file.read, CHUNK_BYTES):
                piece = {"path": name, "number": number, "data": data}
                await connection.execute(insert(blob_pieces), piece)
                number += 1
