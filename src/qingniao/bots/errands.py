"""Small things a bot does on the side, such as telling a platform to stop. Owns their tasks.

Rule: an errand is a courtesy: bounded in number (policy: refuse) and in time, and its failure is
nobody's.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from qingniao.log import get_logger

__all__ = ["Errands"]

ERRANDS: Final = 256
"""At once, of one bot; above it an errand is not run."""
ERRAND_S: Final = 5.0

_log = get_logger("bots")


class Errands:
    """Runs them beside whatever the caller does."""

    def __init__(self, at_once: int = ERRANDS, deadline_s: float = ERRAND_S) -> None:
        self._at_once = at_once
        self._deadline_s = deadline_s
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, errand: Coroutine[Any, Any, object]) -> bool:
        """Start it. False: there are too many already, and this one will not be run."""
        if len(self._tasks) >= self._at_once:
            errand.close()
            return False
        task = asyncio.ensure_future(self._bounded(errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        """Give those under way their time, and no more."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._deadline_s)
        for task in tuple(self._tasks):
            task.cancel()

    async def _bounded(self, errand: Coroutine[Any, Any, object]) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await errand
        except Exception as exc:
            _log.info("errand_failed", error=type(exc).__name__)
