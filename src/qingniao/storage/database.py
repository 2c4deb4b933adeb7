"""The business database: transactions and the schema's version, on SQLite or PostgreSQL.

Owns connections; refuses to know any table's meaning. Rule: every write goes through `write()` and
is on disk when it returns. SQLite's are one at a time; PostgreSQL's are not, so every statement
that looks before it changes takes a lock first: the row's, or one by name (`lock`).
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Table,
    any_,
    bindparam,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from qingniao.errors import StartError, StorageError
from qingniao.metrics import Reading
from qingniao.storage.database_sqlite import sqlite_engine
from qingniao.storage.errors import Unreachable, from_driver
from qingniao.storage.migrations import HEAD, KNOWN
from qingniao.storage.models import alembic_version, metadata

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

__all__ = ["Database", "among", "lock", "now_ms", "upsert"]

_READS: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Database:
    """An open database. Make it with `open` or `connect`, end it with `close`."""

    def __init__(
        self, engine: AsyncEngine, *, is_shared: bool = False, timeout_s: float = 10.0
    ) -> None:
        self._engine = engine
        self._writer = asyncio.Lock()
        self._timeout_s = timeout_s
        self._is_held = False
        self.is_shared = is_shared
        """Other processes write here too: what is remembered of it may be out of date."""

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the SQLite file and bring its schema up to date.

        Raises `StartError` with a sentence for the operator: damaged, read-only, full, or written
        by a newer version.
        """
        try:
            database = cls(await asyncio.to_thread(sqlite_engine, path))
        except OSError as exc:
            raise StartError(f"{path.parent} cannot be made: {exc.strerror}.") from exc
        try:
            await database._bring_up_to_date()
        except (StorageError, StartError) as exc:
            await database.close()
            raise StartError(f"{exc} ({path})") from exc
        return database

    @classmethod
    async def connect(cls, url: str, *, pool: int = 5, timeout_s: float = 10.0) -> "Database":
        """Open a PostgreSQL database, which is there, and bring its schema up to date; of several
        processes that start at once one does it and the others wait.

        `pool` connections at most; a statement, and the wait for a connection, takes `timeout_s`
        at most. Raises `StartError` or `ConfigError` with a sentence for the operator, which never
        holds the URL: there may be a password in it.
        """
        # An embedded installation starts without the driver.
        from qingniao.storage.database_postgres import MIGRATION_S, postgres_engine

        changing = cls(
            postgres_engine(url, timeout_s=timeout_s, migrates=True),
            is_shared=True,
            timeout_s=MIGRATION_S,
        )
        try:
            await changing._bring_up_to_date()
        except (StorageError, StartError) as exc:
            raise StartError(f"{exc} (database.url)") from exc
        finally:
            await changing.close()
        engine = postgres_engine(url, pool=pool, timeout_s=timeout_s)
        return cls(engine, is_shared=True, timeout_s=timeout_s)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A consistent view of the data, on a connection of its own."""
        async with self._connection() as connection:
            if self.is_shared:
                await connection.execution_options(**_READS)
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction. Committed and synced at the end; nothing of it after an error."""
        if self._is_held:
            raise StorageError("Nothing can be changed for a moment: the data is being moved.")
        if self.is_shared:
            async with self._connection() as connection, connection.begin():
                yield connection
            return
        async with self._writer, self._connection() as connection:
            if self._is_held:
                raise StorageError("Nothing can be changed for a moment: the data is being moved.")
            # The option must be set before the transaction begins: see `database_sqlite`.
            await connection.execution_options(qingniao_write=True)
            async with connection.begin():
                yield connection

    async def hold(self) -> None:
        """Refuse to write, until `go_on`, and wait until nobody writes. For a file of our own."""
        self._is_held = True
        async with self._writer:
            pass

    def go_on(self) -> None:
        """The opposite of `hold`."""
        self._is_held = False

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        pool = self._engine.pool
        used = pool.checkedout() if isinstance(pool, AsyncAdaptedQueuePool) else 0
        yield "gauge", "database_connections", "Connections to the database in use.", used

    async def close(self) -> None:
        """Let go of the file or the server. Idempotent; waits for a write under way."""
        async with self._writer:
            await self._engine.dispose()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        """A connection, and the driver's errors as ours."""
        connection = await self._connected()
        try:
            yield connection
        except SQLAlchemyError as exc:
            raise from_driver(exc) from exc
        except TimeoutError as exc:
            # The driver's own deadline: what became of the statement is not known.
            await connection.invalidate(exc)
            raise Unreachable("The database did not answer in time.") from exc
        finally:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        connection = self._engine.connect()
        try:
            async with asyncio.timeout(self._timeout_s if self.is_shared else None):
                return await connection.start()
        except SQLAlchemyError as exc:
            raise from_driver(exc) from exc
        except TimeoutError as exc:
            raise Unreachable("The database did not answer in time.") from exc
        except OSError as exc:
            raise Unreachable from exc
        except ValueError as exc:
            raise StorageError("The driver does not understand this URL.") from exc
        except Exception as exc:
            if type(exc).__module__.startswith("asyncpg."):
                raise from_driver(exc) from exc
            raise

    async def _bring_up_to_date(self) -> None:
        async with self.read() as connection:
            if await connection.run_sync(_revision) == HEAD:
                return
        async with self.write() as connection:
            await lock(connection, "schema")
            # Another process may have been quicker.
            found = await connection.run_sync(_revision)
            if found == HEAD:
                return
            if found is not None and found not in KNOWN:
                raise StartError(
                    f"The database was written by a newer version of Qingniao (schema {found}, "
                    f"this version knows {HEAD}): install that version, or restore a backup."
                )
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


def among(
    connection: AsyncConnection, column: Column[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """The rows whose `column` is one of `values`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import ARRAY

        # One parameter however many there are: the server prepares one statement, not hundreds.
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(values)


async def lock(connection: AsyncConnection, name: str) -> None:
    """Be alone under that name, in all processes, until the write transaction ends. In SQLite it
    is alone anyway."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)").columns().bindparams(key=key)
        )


async def now_ms(connection: AsyncConnection) -> int:
    """The database's clock, which all processes share; in milliseconds since 1970 UTC."""
    seconds: ColumnElement[Any]
    if connection.dialect.name == "postgresql":
        seconds = func.extract("epoch", func.clock_timestamp())
    else:
        seconds = (func.julianday("now") - 2_440_587.5) * 86_400
    return int(await connection.scalar(select(func.floor(seconds * 1000).cast(BigInteger))) or 0)


def _revision(connection: Connection) -> str | None:
    """The stored schema's version; `None` for a database without our tables."""
    inspector = inspect(connection)
    if inspector.has_table(alembic_version.name):
        return connection.scalar(select(alembic_version.c.version_num))
    there = set(inspector.get_table_names())
    # A server's database may be shared with others, as long as they use other names.
    if there if connection.dialect.name == "sqlite" else there & set(metadata.tables):
        raise StartError("This is a database, but not one of Qingniao's.")
    return None


def _create(connection: Connection) -> None:
    """The whole schema at once. The same as all migrations (tested), without loading Alembic."""
    metadata.create_all(connection, checkfirst=False)
    alembic_version.create(connection)
    connection.execute(insert(alembic_version), {"version_num": HEAD})


def _upgrade(connection: Connection) -> None:
    # Alembic takes a quarter of a second to load: only a start after an update needs it.
    from qingniao.storage.migrations.upgrade import upgrade

    upgrade(connection, HEAD)
