"""How much somebody may send: a token bucket that knows no clock.

Rule: several connections may share one; time comes in as milliseconds and may step back.
"""

from typing import Final

__all__ = ["BURST_S", "Allowance"]

BURST_S: Final = 3.0
"""Whoever was quiet may send this many seconds' worth of the rate at once."""


class Allowance:
    """`rate` a second on average, `BURST_S` seconds of it at once."""

    __slots__ = ("_at_ms", "_left", "_rate")

    def __init__(self, rate: float, now_ms: int) -> None:
        self._rate = rate
        self._left = rate * BURST_S
        self._at_ms = now_ms

    def take(self, now_ms: int) -> int:
        """Count one. 0: go ahead. Otherwise: not now, and in how many milliseconds."""
        rate = self._rate
        # A wall clock that steps back must not be charged to whoever sends.
        left = self._left + max(0, now_ms - self._at_ms) * rate / 1000
        left = min(left, rate * BURST_S)
        self._at_ms = now_ms
        if left < 1:
            self._left = left
            return int((1 - left) / rate * 1000) + 1
        self._left = left - 1
        return 0
