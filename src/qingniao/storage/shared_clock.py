"""What time it is for all processes of an installation: the database's, for their own may be apart.

Owns the way from the counting clock of this machine to the database's time; refuses to ask the
database each time. Rule: between two looks only the counting clock is believed, so that setting the
machine's time changes nothing.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from qingniao.clock import wall_ms
from qingniao.errors import StartError, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.storage.database import Database, now_ms

__all__ = ["SharedClock"]

_log: Final = get_logger("storage")
_LOOK_S: Final = 30.0
_SLOW_S: Final = 1.0
"""An answer that took longer says too little about when it was true."""
_APART_MS: Final = 10_000
"""A machine's clock that is so far off is worth a word to the operator."""


class SharedClock:
    """A `clock.Clock`: milliseconds since 1970 UTC. Make it with `open`, keep it by `run`."""

    def __init__(self, database: Database, counted_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._counted_s = counted_s
        self._began_ms = 0.0
        """What the database's time was when the counting clock stood at zero."""
        self._is_set = False
        self._is_apart = False

    @classmethod
    async def open(cls, database: Database) -> "SharedClock":
        """Ask for the first time. Raises `StartError`."""
        clock = cls(database)
        try:
            await clock.look()
        except StorageError as exc:
            raise StartError(f"The database cannot be asked for the time: {exc}") from exc
        return clock

    def __call__(self) -> int:
        """The time now."""
        return int(self._began_ms + self._counted_s() * 1000)

    async def look(self) -> None:
        """Compare with the database's clock. Raises `StorageError`."""
        async with self._database.read() as connection:
            asked_s = self._counted_s()
            told_ms = await now_ms(connection)
            took_s = self._counted_s() - asked_s
        if took_s > _SLOW_S and self._is_set:
            return
        self._began_ms = told_ms - (asked_s + took_s / 2) * 1000
        self._is_set = True
        self._say_if_apart()

    def _say_if_apart(self) -> None:
        was_apart, self._is_apart = self._is_apart, abs(self._off_ms) > _APART_MS
        if self._is_apart and not was_apart:
            _log.warning("clock_apart", off_ms=self._off_ms)

    @property
    def _off_ms(self) -> int:
        return wall_ms() - self()

    async def run(self) -> None:
        """Look every now and then until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self.look()
            except StorageError as exc:
                _log.warning("clock_not_compared", reason=str(exc))

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "clock_off_ms", "This machine's clock ahead of the database's.", self._off_ms
