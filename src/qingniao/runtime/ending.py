"""How the process ends. Owns the signals, and the last word when something hangs.

Asked once (SIGTERM, SIGINT) it finishes what was accepted; asked again, or not done by the
deadline, it ends at once. Rule: that is always safe, for what was acked is on disk, and what was
not acked its sender keeps.
"""

import asyncio
import os
import signal
import sys
import threading
from typing import Final

__all__ = ["Ending"]

_LATE: Final = 1
_TOLD_TWICE: Final = 130


class Ending:
    """Waits for the word to end, and sees to it that it is kept."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._asked = asyncio.Event()

    def listen(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask)

    def ask(self) -> None:
        """End soon; asked twice: now."""
        if self._asked.is_set():
            _end(_TOLD_TWICE, "Ended at once, as asked twice. Nothing that was acked is lost.")
        self._asked.set()
        # A thread: the loop may be what hangs, and a stuck disk holds every other way out.
        late = threading.Timer(self._deadline_s, self._end_late)
        late.daemon = True
        late.start()

    async def asked(self) -> None:
        """Wait for the word."""
        await self._asked.wait()

    def _end_late(self) -> None:
        _end(
            _LATE,
            f"Not done {self._deadline_s:g} s after the signal to end, so ended at once; does the "
            "disk hang? Nothing that was acked is lost.",
        )


def _end(code: int, why: str) -> None:
    sys.stderr.write(f"qingniao: {why}\n")
    sys.stderr.flush()
    os._exit(code)
