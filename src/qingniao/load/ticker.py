"""Wakes a process at every millisecond. Owns one timer of the kernel.

An event loop's own timers are rounded up to its next millisecond and drift: half a millisecond that
would be added to every latency. Rule: where the kernel has no such timer, the loop's own serves;
`late` in the report says what that costs.
"""

import asyncio
import ctypes
import os
import time
from typing import Final

from qingniao.load.plan import TICK_US

__all__ = ["Ticker", "now_us"]

_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC


def now_us() -> int:
    """The machine's monotonic clock, the same in every process."""
    return time.monotonic_ns() // 1_000


class _Times(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = [
        ("every_s", ctypes.c_long),
        ("every_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    ]


class Ticker:
    """`await wait_until(us)`, exact to some tens of microseconds. One waiter at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._file = -1

    def start(self, origin_us: int) -> None:
        """Tick at whole milliseconds after `origin_us`."""
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            self._file = libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
            first_s, rest_us = divmod(origin_us, 1_000_000)
            times = _Times(0, TICK_US * 1_000, first_s, rest_us * 1_000)
            if libc.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(times), None):
                self.close()
        except (OSError, AttributeError):  # not Linux
            self._file = -1
        if self._file >= 0:
            self._loop.add_reader(self._file, self._ticked)

    async def wait_until(self, us: int) -> None:
        """Return at the first tick that is not before `us`."""
        while (left_us := us - now_us()) > 0:
            if self._file < 0 or left_us > 20 * TICK_US:
                await asyncio.sleep(max(TICK_US, left_us - 10 * TICK_US) / 1e6)
                continue
            self._waiter = self._loop.create_future()
            await self._waiter

    def close(self) -> None:
        """Let go of the timer."""
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _ticked(self) -> None:
        os.read(self._file, 8)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
