"""How the process is: the word that `/healthz` says, and what the loop and the CPU are doing.

Owns that word; refuses to act on it. Rule: it is `"ok"` only while the log can be written.
"""

import asyncio
import resource
import time
from collections.abc import Iterable
from typing import Final

from qingniao.chat.ports import MessageLog
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["Health"]

_log: Final = get_logger("runtime")
_READS_S: Final = 1.0
_LOOK_S: Final = 0.5


class Health:
    """Two jobs that look every now and then, and what they saw."""

    def __init__(self, log: MessageLog) -> None:
        self.state = "starting"
        """`"ok"`, or what is in the way: `"starting"`, `"draining"`, `"storage"`."""
        self._message_log = log
        self._lag_ms = 0.0

    async def keep_reads(self) -> None:
        """Store read marks; the second in which that fails is when the disk is known to be ill."""
        while True:
            await asyncio.sleep(_READS_S)
            try:
                await self._message_log.flush_reads()
                if self.state == "storage":
                    self.state = "ok"
            except StorageError as exc:
                self.state = "storage"
                _log.warning("reads_not_stored", reason=str(exc))

    async def watch_loop(self) -> None:
        """How late the loop is: the one figure that shows all blocking."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_LOOK_S)
            self._lag_ms = max(0.0, (time.perf_counter() - before - _LOOK_S) * 1000)

    def readings(self) -> Iterable[Reading]:
        """The process's own figures."""
        yield "gauge", "loop_lag_ms", "How late the event loop was, last half second.", self._lag_ms
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield "counter", "cpu_seconds", "CPU used by this process.", used.ru_utime + used.ru_stime
