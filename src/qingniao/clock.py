"""Time, as something that is handed in. Rule: nobody below `runtime` calls `time.time()`."""

import time
from collections.abc import Callable

__all__ = ["Clock", "wall_ms"]

Clock = Callable[[], int]
"""Returns milliseconds since 1970-01-01 UTC."""


def wall_ms() -> int:
    """The machine's wall clock in milliseconds. Can step back; only for display and expiry."""
    return time.time_ns() // 1_000_000
