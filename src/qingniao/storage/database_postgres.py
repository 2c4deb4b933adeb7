"""The business database on PostgreSQL: connections as we want them.

Rule: nothing here waits for ever. The client gives up after `timeout_s`; the server ends what a
frozen or vanished client of ours left open, so that its locks hold up nobody for long.
"""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from qingniao.errors import ConfigError, StartError

__all__ = ["MIGRATION_S", "postgres_engine"]

MIGRATION_S: Final = 600.0
"""A schema's change, and the wait for another process that makes it."""


def postgres_engine(
    url: str, *, pool: int = 5, timeout_s: float = 10.0, migrates: bool = False
) -> AsyncEngine:
    """Connections to the database that `url` (`postgresql://…`) names, none of them open yet.

    `migrates`: for changing the schema, which may take long. Raises `ConfigError` for what is not
    such a URL, `StartError` without the driver.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError("database.url must begin with postgresql://.")
    try:
        import asyncpg
    except ImportError as exc:
        raise StartError(
            "database.url names PostgreSQL, and its driver is not here: pip install "
            '"qingniao[cluster]".'
        ) from exc
    limit_s = MIGRATION_S if migrates else timeout_s
    limit_ms = str(round(limit_s * 1000))

    async def connect(*_: Any, **__: Any) -> Any:
        # The driver reads the URL itself: it knows several hosts, `sslmode`, files of passwords.
        return await asyncpg.connect(
            url,
            timeout=timeout_s,
            command_timeout=limit_s,
            server_settings={
                "application_name": "qingniao",
                "statement_timeout": limit_ms,
                "idle_in_transaction_session_timeout": limit_ms,
                "timezone": "UTC",
            },
        )

    if migrates:
        return create_async_engine(
            "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool
        )
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=timeout_s,
        # A connection is asked whether it lives before it is used: after a restart of the server
        # no request of ours fails, and the price is one short round trip.
        pool_pre_ping=True,
    )
