"""Which engine keeps the message log, and the leases beside it: chosen by settings.

Rule: both come from the same place, so that who may act is decided where the truth is.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from qingniao.chat.leases import Leases
from qingniao.chat.ports import MessageLog
from qingniao.config import Config
from qingniao.errors import StartError

__all__ = ["open_leases", "open_log"]

_NO_DRIVER = (
    'database.url names PostgreSQL, and its driver is not here: pip install "qingniao[cluster]".'
)


async def open_log(config: Config, stack: AsyncExitStack) -> MessageLog:
    """In PostgreSQL if `database.url` names one, else in the data folder. Raises `StartError`."""
    if config.database.url:
        try:
            from qingniao.storage.messages_postgres import PostgresMessageLog
        except ImportError as exc:
            raise StartError(_NO_DRIVER) from exc
        shared = await PostgresMessageLog.open(
            config.database.url,
            heads=config.storage.heads,
            readers=config.storage.readers,
            deadline_s=config.database.timeout_ms / 1000,
            retention_days=config.storage.retention_days,
        )
        stack.push_async_callback(shared.close)
        return shared
    from qingniao.storage.messages_rocksdb import RocksMessageLog

    log = await asyncio.to_thread(
        RocksMessageLog, Path(config.data) / "messages", heads=config.storage.heads
    )
    stack.push_async_callback(log.close)
    return log


async def open_leases(config: Config, stack: AsyncExitStack) -> Leases:
    """Who may do what only one may do. Raises `StartError`."""
    if not config.database.url:
        from qingniao.storage.leases_memory import MemoryLeases

        return MemoryLeases()
    try:
        from qingniao.storage.leases_postgres import PostgresLeases
    except ImportError as exc:
        raise StartError(_NO_DRIVER) from exc
    leases = await PostgresLeases.open(
        config.database.url, deadline_s=config.database.timeout_ms / 1000
    )
    stack.push_async_callback(leases.close)
    return leases
