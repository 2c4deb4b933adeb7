"""The business database in one SQLite file: connections as we want them. Rule: this file and
`database_postgres.py` are all that differs between the two engines.
"""

from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["sqlite_engine"]

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


def sqlite_engine(path: Path) -> AsyncEngine:
    """Connections to the file, whose folder is made. Blocks. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    _teach(engine)
    return engine


def _teach(engine: AsyncEngine) -> None:
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
