"""Which engine keeps the business data, the contents and the keys: chosen by settings.

Rule: what several processes share is opened here, so that every role opens the same.
"""

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from qingniao.auth import KeyRing
from qingniao.config import Config
from qingniao.errors import ConfigError, StartError
from qingniao.storage.blobs import Blobs
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.database import Database
from qingniao.storage.keys import SharedKeys

__all__ = ["open_blobs", "open_database", "open_keys"]

_IN_DATABASE: Final = "postgresql"


async def open_database(config: Config) -> Database:
    """PostgreSQL if `database.url` names one, else the file in the data folder. Raises
    `StartError` or `ConfigError`."""
    settings = config.database
    if settings.url:
        return await Database.connect(
            settings.url, pool=settings.pool, timeout_s=settings.timeout_ms / 1000
        )
    return await Database.open(Path(config.data) / "qingniao.db")


async def open_blobs(config: Config, database: Database) -> Blobs:
    """What `blobs.url` names, else a folder in the data folder. Raises `StartError` or
    `ConfigError`."""
    settings = config.blobs
    if settings.url == _IN_DATABASE:
        from qingniao.storage.blobs_database import DatabaseBlobs

        return DatabaseBlobs(database)
    if settings.url.startswith("s3:"):
        try:
            from qingniao.storage.blobs_s3 import S3Blobs
        except ImportError as exc:
            raise StartError(
                "blobs.url names an object store, and its driver is not here: pip install "
                '"qingniao[cluster]".'
            ) from exc
        store = S3Blobs(
            settings.url,
            endpoint=settings.endpoint,
            region=settings.region,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            timeout_s=settings.timeout_ms / 1000,
        )
        await store.check()
        return store
    folder = Path(config.data) / "files"
    if settings.url:
        parts = urlsplit(settings.url)
        if parts.scheme != "file" or parts.netloc or not parts.path:
            raise ConfigError(
                "blobs.url must be empty, postgresql, s3://bucket/prefix or file:///folder."
            )
        folder = Path(unquote(parts.path))
    blobs = FolderBlobs(folder, is_shared=bool(settings.url) or database.is_shared)
    await asyncio.to_thread(blobs.open)
    return blobs


async def open_keys(config: Config, database: Database) -> tuple[KeyRing, SharedKeys | None]:
    """What tokens are signed with: keys in the database if processes share it, else a file in the
    data folder. With shared ones comes who has to be run to keep them up to date."""
    path = Path(config.data) / "keys"
    if not database.is_shared:
        return await asyncio.to_thread(KeyRing.open, path), None
    shared = await SharedKeys.open(database, seed=path)
    return shared.ring, shared
