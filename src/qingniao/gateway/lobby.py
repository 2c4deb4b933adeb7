"""Handshakes wait here for their turn when many come at once. Bounded (policy: refuse).

A handshake costs as much as dozens of messages: after a cut, ten thousand of them would hold up
everybody who is talking. Idle, one is let in at once; in a storm the loop spends a slice on them
and then looks at the others. Rule: nobody waits here while there is time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from qingniao.metrics import Reading

__all__ = ["Guest", "Lobby"]

_SLICE_S: Final = 0.004
_REST_S: Final = 0.006
"""Hello and welcome cost about as much again, in this time."""


Guest = Callable[[bool], None]
"""Called once: True to come in, False when nobody may any more."""


class Lobby:
    """The line of those who want to come in."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[Guest] = deque()
        self._resting: asyncio.TimerHandle | None = None
        self._since = self._spent = 0.0
        self._is_closed = False
        self.admitted = self.refused = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, guest: Guest) -> bool:
        """Call `guest` now or when it is its turn; False: there is no room, it never will be."""
        if self._is_closed or len(self._waiting) >= self._capacity:
            self.refused += 1
            return False
        if self._resting is None and not self._waiting:
            self._admit(guest)
            if self._spent >= _SLICE_S:
                self._rest()
        else:
            self._waiting.append(guest)
        return True

    def close(self) -> None:
        """Let nobody in any more; whoever was waiting is told."""
        self._is_closed = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        waiting, self._waiting = self._waiting, deque()
        for guest in waiting:
            guest(False)

    def _admit(self, guest: Guest) -> None:
        now = time.perf_counter()
        if now - self._since > _SLICE_S + _REST_S:
            self._since, self._spent = now, 0.0
        # The thread's own time: on a busy machine the clock would count what others did.
        began = time.thread_time()
        self.admitted += 1
        guest(True)
        self._spent += time.thread_time() - began

    def _rest(self) -> None:
        self._resting = asyncio.get_running_loop().call_later(_REST_S, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._since, self._spent = time.perf_counter(), 0.0
        while self._waiting and self._spent < _SLICE_S:
            self._admit(self._waiting.popleft())
        if self._waiting:
            self._rest()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "handshakes_waiting", "Handshakes waiting for their turn.", len(self)
        yield "counter", "handshakes", "Handshakes let in.", self.admitted
        yield "counter", "handshakes_refused", "Handshakes refused for lack of room.", self.refused
