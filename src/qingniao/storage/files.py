"""What is known about uploaded files; contents are in `blobs.py`.

Rule: a row exists only for a file whose content is already on disk.
"""

from typing import Any

import msgspec
from sqlalchemy import Row, insert, select

from qingniao.storage.database import Database
from qingniao.storage.models import files
from qingniao.storage.rows import FileRow

__all__ = ["Files"]

_FIELDS = FileRow.__struct_fields__
_FILE = [files.c[name] for name in _FIELDS]


class Files:
    """Uploaded files by their unguessable id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: FileRow) -> None:
        """On disk when this returns."""
        async with self._database.write() as connection:
            await connection.execute(insert(files), msgspec.structs.asdict(file))

    async def all(self) -> list[FileRow]:
        """Every file there is."""
        async with self._database.read() as connection:
            return [_file(row) for row in await connection.execute(select(*_FILE))]

    async def get(self, file: str) -> FileRow | None:
        """The file with that id."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_FILE).where(files.c.id == file))).first()
        return _file(row) if row else None


def _file(row: Row[Any]) -> FileRow:
    return FileRow(**dict(zip(_FIELDS, row, strict=True)))
