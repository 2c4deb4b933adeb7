"""One process: what it needs of the machine, from the start until it is told to end.

Owns limits and the collector; refuses to know what is in the house. Rule: what is opened
is closed, in reverse order, whatever fails in between; every background task belongs to the one
`TaskGroup` of `serve`.
"""

import asyncio
import gc
import resource
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from qingniao.config import Config
from qingniao.errors import StartError
from qingniao.log import get_logger
from qingniao.runtime.ending import Ending
from qingniao.runtime.house import House
from qingniao.runtime.roles import ALL, ServeRole
from qingniao.storage.first_run import FirstRun

__all__ = ["Ready", "look_seldom", "serve"]

_log: Final = get_logger("runtime")
_GRACE_S: Final = 2.5
"""After the drain: for goodbyes and for closing the stores."""

_TURN_S: Final = 0.000_5
"""How long a thread may compute while the event loop waits; Python's own choice is 5 ms."""

Ready = Callable[[str, FirstRun | None], None]
"""Called once with the URL, and the one-time password on the first start."""


async def serve(config: Config, ready: Ready, roles: frozenset[ServeRole] = ALL) -> None:
    """Be these roles in this process until SIGTERM or SIGINT. Raises `StartError`."""
    _check(roles, config)
    async with AsyncExitStack() as stack:
        _raise_file_limit()
        sys.setswitchinterval(_TURN_S)
        await asyncio.to_thread(_prepare_folder, Path(config.data))
        house = House(config, roles)
        first = await house.open(stack)
        async with asyncio.TaskGroup() as tasks:
            leaving_ms = config.gateway.notice_ms + config.gateway.drain_ms
            ending = Ending(leaving_ms / 1000 + _GRACE_S)
            ending.listen()
            jobs = [tasks.create_task(job) for job in house.jobs()]
            url = await house.listen()
            look_seldom()
            ready(url, first)
            await ending.asked()
            _log.info("draining")
            await house.drain()
            for job in jobs:
                job.cancel()


def _check(roles: frozenset[ServeRole], config: Config) -> None:
    given = {"QINGNIAO_DATABASE_URL": config.database.url, "QINGNIAO_BUS_URL": config.bus.url}
    missing = [name for name, url in given.items() if not url]
    if roles != ALL and missing:
        raise StartError(
            "A process with some of the roles shares its data with others: set "
            f"{' and '.join(missing)}. Without --role it is everything and needs neither."
        )


def _prepare_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        raise StartError(
            f"The data folder {data} cannot be written ({exc.strerror}). Make it writable for "
            "this user, free some space, or set QINGNIAO_DATA to another folder."
        ) from exc


def look_seldom() -> None:
    """For the time after a start: what lives from here on is small and short-lived, and old objects
    need no more looks of the collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)
    gc.enable()


def _raise_file_limit() -> None:
    """Every connection is a file: use what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
