"""How the process is: the word that `/healthz` says, and what the loop and the CPU are doing.

Owns that word; refuses to act on it. Rule: it is `"ok"` only while the log can be written.
"""

import asyncio
import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from qingniao.chat.ports import MessageLog
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Histogram, Reading

__all__ = ["Health"]

_log: Final = get_logger("runtime")
_READS_S: Final = 1.0
_LOOK_S: Final = 0.05
_RECENT: Final = 200
"""Looks, ten seconds' worth: a scrape must not miss what happened between two of them."""


class Health:
    """Two jobs that look every now and then, and what they saw."""

    def __init__(self, log: MessageLog, degraded: Callable[[], Sequence[str]] = lambda: ()) -> None:
        self.degraded = degraded
        """What is away and done without, slower: `"bus"`."""
        self.state = "starting"
        """`"ok"`, or what is in the way: `"starting"`, `"draining"`, `"storage"`."""
        self._message_log = log
        self._recent: deque[float] = deque([0.0], maxlen=_RECENT)
        self._late = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)

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
            late_ms = max(0.0, (time.perf_counter() - before - _LOOK_S) * 1000)
            self._recent.append(late_ms)
            self._late.observe(late_ms)

    def readings(self) -> Iterable[Reading]:
        """The process's own figures."""
        worst = max(self._recent)
        yield "gauge", "loop_lag_ms", "How late the event loop was at worst in ten seconds.", worst
        yield "histogram", "loop_late_ms", "How late it was, looked at every 50 ms.", self._late
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield "counter", "cpu_seconds", "CPU used by this process.", used.ru_utime + used.ru_stime
