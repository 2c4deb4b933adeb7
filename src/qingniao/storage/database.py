"""The business database: one engine, many readers, one writer.

Owns connections, transactions and the schema's version; refuses to know any table's meaning.
Rule: every write goes through `write()`, one at a time, and is on disk when it returns.

SQLite today, PostgreSQL by another URL: what differs between the two is in this file only.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Table, event, insert, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from qingniao.errors import StartError, StorageError
from qingniao.storage.errors import from_driver
from qingniao.storage.migrations import HEAD, KNOWN
from qingniao.storage.models import alembic_version, metadata

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

__all__ = ["Database", "upsert"]

READERS: Final = 4
"""Connections kept open. Each is a thread in SQLite's driver; reads are far below 1 ms."""
POOL_TIMEOUT_S: Final = 10.0
BUSY_TIMEOUT_MS: Final = 5_000
"""How long to wait for another process, such as a command line tool, to finish its write."""


_PRAGMAS: Final = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "journal_size_limit = 16777216",
)


class _DriverConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> Any: ...
    def close(self) -> None: ...


class Database:
    """An open database. Make it with `open`, end it with `close`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the SQLite file and bring its schema up to date.

        Raises `StartError` with a sentence for the operator: damaged, read-only, full, or written
        by a newer version.
        """
        try:
            database = cls(await asyncio.to_thread(_sqlite_engine, path))
        except OSError as exc:
            raise StartError(f"{path.parent} cannot be made: {exc.strerror}.") from exc
        try:
            await database._bring_up_to_date()
        except (StorageError, StartError) as exc:
            await database.close()
            raise StartError(f"{exc} ({path})") from exc
        return database

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A consistent view of the data, on a connection of its own."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as exc:
            raise from_driver(exc) from exc

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction, alone. Committed and synced at the end; nothing of it after an error."""
        async with self._writer:
            try:
                async with self._engine.connect() as connection:
                    # The option must be set before the transaction begins: see `_begin`.
                    await connection.execution_options(qingniao_write=True)
                    async with connection.begin():
                        yield connection
            except SQLAlchemyError as exc:
                raise from_driver(exc) from exc

    async def close(self) -> None:
        """Let go of the file. Idempotent; waits for the write under way."""
        async with self._writer:
            await self._engine.dispose()

    async def _bring_up_to_date(self) -> None:
        async with self.read() as connection:
            found = await connection.run_sync(_revision)
        if found == HEAD:
            return
        if found is not None and found not in KNOWN:
            raise StartError(
                f"The database was written by a newer version of Qingniao (schema {found}, "
                f"this version knows {HEAD}): install that version, or restore a backup."
            )
        async with self.write() as connection:
            if found is None:
                await connection.run_sync(_create)
            else:
                await connection.run_sync(_upgrade)


def upsert(connection: AsyncConnection, table: Table) -> "SqliteInsert | PostgresInsert":
    """`INSERT … ON CONFLICT`, which both engines have and SQLAlchemy spells per dialect."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def _revision(connection: Connection) -> str | None:
    """The stored schema's version; `None` for an empty database."""
    inspector = inspect(connection)
    if not inspector.has_table(alembic_version.name):
        if inspector.get_table_names():
            raise StartError("This is a database, but not one of Qingniao's.")
        return None
    return connection.scalar(select(alembic_version.c.version_num))


def _create(connection: Connection) -> None:
    """The whole schema at once. The same as all migrations (tested), without loading Alembic."""
    metadata.create_all(connection, checkfirst=False)
    alembic_version.create(connection)
    connection.execute(insert(alembic_version), {"version_num": HEAD})


def _upgrade(connection: Connection) -> None:
    # Alembic takes a quarter of a second to load: only a start after an update needs it.
    from qingniao.storage.migrations.upgrade import upgrade

    upgrade(connection, HEAD)


def _sqlite_engine(path: Path) -> AsyncEngine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    _teach_sqlite(engine)
    return engine


def _teach_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: _DriverConnection, _record: object) -> None:
        # The driver would begin transactions by itself, and only before some statements.
        connection.isolation_level = None
        try:
            cursor = connection.cursor()
            for pragma in _PRAGMAS:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except Exception:
            # Nobody else knows of this connection yet, and it owns a thread.
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # Taking the write lock at once cannot fail half-way; a reader that turns writer can.
        write = connection.get_execution_options().get("qingniao_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
