"""`qingniao migrate-store`: an installation of one process moves to PostgreSQL while it serves.

Owns the order of the steps; the copying is in `migration_copy.py`, the server's standing still in
`handover.py`. Refuses a folder without an installation. Rule: the old installation stays whole and
in charge until everything has been compared; after that it never writes again.

It copies in passes while people talk, compares every conversation by a digest of its entries, asks
the server to stand still, copies and compares what is left, and hands over. Run again after any
failure it goes on where it was.
"""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from pathlib import Path

from qingniao.config import Config
from qingniao.errors import ConfigError, StartError
from qingniao.runtime.handover import standing_still
from qingniao.runtime.migration_copy import Move, Moves, Say
from qingniao.runtime.standstill import MOVED
from qingniao.runtime.stores import open_blobs
from qingniao.storage.blobs import Blobs
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.copy_tables import count_rows
from qingniao.storage.database import Database
from qingniao.storage.message_import import LogImport

__all__ = ["Moves", "migrate_store"]


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
        files = FolderBlobs(data / "files")
        move = Move(data, source, target, tables, files, blobs, say)
        await move.while_serving()
        began = time.monotonic()
        if await asyncio.to_thread((folder / MOVED).exists):
            await move.at_rest()  # the last run came as far as that
        else:
            async with standing_still(data, say) as hand_over:
                await move.at_rest()
                await hand_over()
        move.done.pause_s = round(time.monotonic() - began, 1)
        await target.finish()
        return move.done


def _source_id(data: Path) -> str:
    """The id of this installation, the same in every run."""
    if not (data / "messages" / "CURRENT").exists():
        raise StartError(f"There is no installation in {data}: set QINGNIAO_DATA to its folder.")
    path = data / "move" / "id"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_hex(16), "utf-8")
    return path.read_text("utf-8")
