"""The engines that the settings choose: the only file that names one. Owns their opening and end.

Rule: what is opened here is put on the stack at once, so that it is closed in reverse order.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from qingniao.auth import KeyRing, Signer
from qingniao.bus.base import Fanout, Presence, WorkQueue
from qingniao.bus.memory import MemoryFanout, MemoryPresence, MemoryWorkQueue
from qingniao.chat.ports import MessageLog
from qingniao.config import Config
from qingniao.metrics import Reading
from qingniao.storage.blobs import Blobs, FolderBlobs
from qingniao.storage.database import Database
from qingniao.storage.messages_rocksdb import RocksMessageLog

__all__ = ["Engines"]


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What every role of a process shares."""

    log: MessageLog
    database: Database
    blobs: Blobs
    signer: Signer
    fanout: Fanout
    queue: WorkQueue
    presence: Presence
    readings: tuple[Callable[[], Iterable[Reading]], ...]
    """Where the engines' own metrics are read."""

    @classmethod
    async def open(cls, config: Config, stack: AsyncExitStack) -> "Engines":
        """The data folder is there and can be written. Raises `StartError`."""
        data = Path(config.data)
        log = await asyncio.to_thread(
            RocksMessageLog, data / "messages", heads=config.storage.heads
        )
        stack.push_async_callback(log.close)
        database = await Database.open(data / "qingniao.db")
        stack.push_async_callback(database.close)
        signer = Signer(await asyncio.to_thread(KeyRing.open, data / "keys"))
        blobs = FolderBlobs(data / "files")
        await asyncio.to_thread(blobs.open)
        queue = MemoryWorkQueue(config.workers.waiting)
        return cls(
            log=log, database=database, blobs=blobs, signer=signer, fanout=MemoryFanout(),
            queue=queue, presence=MemoryPresence(), readings=(log.readings, queue.readings),
        )  # fmt: skip
