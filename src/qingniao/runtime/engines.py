"""The engines that the settings choose. Owns their opening and end.

Engines are named in `logs.py`, `stores.py` and `buses.py`, and nowhere else. Rule: what is opened
is put on the stack at once, so that it is closed in reverse order.
"""

import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from qingniao.auth import KeyRing, Signer
from qingniao.chat.leases import Leases
from qingniao.chat.ports import MessageLog
from qingniao.clock import Clock, wall_ms
from qingniao.config import Config
from qingniao.metrics import Reading
from qingniao.runtime.buses import Bus, open_bus
from qingniao.runtime.logs import open_leases, open_log
from qingniao.runtime.stores import open_blobs, open_database, open_keys
from qingniao.storage.blobs import Blobs
from qingniao.storage.database import Database
from qingniao.storage.shared_clock import SharedClock

__all__ = ["Engines"]


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What every role of a process shares."""

    log: MessageLog
    leases: Leases
    holder: str
    """This process, among all that may hold a lease."""
    database: Database
    blobs: Blobs
    keys: KeyRing
    signer: Signer
    bus: Bus
    clock: Clock
    """The same for all processes that share a database."""
    readings: tuple[Callable[[], Iterable[Reading]], ...]
    """Where the engines' own metrics are read."""

    jobs: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    """What has to run until the end for the engines to be up to date."""

    @classmethod
    async def open(cls, config: Config, stack: AsyncExitStack) -> "Engines":
        """The data folder is there and can be written. Raises `StartError` or `ConfigError`."""
        log = await open_log(config, stack)
        leases = await open_leases(config, stack)
        database = await open_database(config)
        stack.push_async_callback(database.close)
        keys, shared_keys = await open_keys(config, database)
        blobs = await open_blobs(config, database)
        stack.push_async_callback(blobs.close)
        bus = await open_bus(config, stack)
        shared = await SharedClock.open(database) if database.is_shared else None
        return cls(
            log=log, leases=leases, holder=_holder(), database=database, blobs=blobs,
            keys=keys, signer=Signer(keys), bus=bus, clock=shared or wall_ms,
            readings=tuple(source.readings for source in (log, bus, database, shared) if source),
            jobs=tuple(source.run for source in (shared_keys, shared) if source),
        )  # fmt: skip


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
