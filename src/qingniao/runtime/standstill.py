"""Standing still while somebody copies the data folder: nothing is written, everybody hears why.

Owns the files in `<data>/move` by which a command beside asks for it; refuses to keep still for
somebody who has gone. Rule: whoever removes or renames `pause` decides: the command renames it to
`moved`, and then nothing is written here ever again; the server removes it when the command has not
touched it for a while, and then the command may not go on.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from qingniao.chat.ports import MessageLog
from qingniao.errors import StartError, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.pipeline.pipeline import Pipeline
from qingniao.storage.database import Database

__all__ = ["MOVED", "PAUSE", "PAUSED", "STALE_S", "Standstill", "refuse_if_moved"]

PAUSE: Final = "pause"
"""Made by the command, which touches it every second."""
PAUSED: Final = "paused"
"""Made by the server: nothing is being written any more. Holds what `pause` held."""
MOVED: Final = "moved"
"""What `pause` becomes when all is over there."""
STALE_S: Final = 10.0

_LOOK_S: Final = 0.5
_log: Final = get_logger("runtime")


class Standstill:
    """Looks for the request, twice a second. `run` is its owner's task."""

    def __init__(self, data: Path, pipeline: Pipeline, log: MessageLog, database: Database) -> None:
        self._folder = data / "move"
        self._pipeline = pipeline
        self._message_log = log
        self._database = database
        self.is_still = False
        self._answered = ""

    async def run(self) -> None:
        """Stand still whenever asked, until cancelled."""
        while True:
            asked = await asyncio.to_thread(self._asked)
            if asked is None and self.is_still:
                self._go_on()
            elif asked is not None:
                try:
                    if not self.is_still:
                        await self._stop()
                    # Who asked first may have been killed, and be run again.
                    if asked != self._answered:
                        await asyncio.to_thread(self._answer, asked)
                except (StorageError, OSError) as exc:
                    _log.warning("standstill_failed", reason=str(exc))
                    self._go_on()
            await asyncio.sleep(_LOOK_S)

    async def _stop(self) -> None:
        self.is_still = True
        _log.info("standstill_begun")
        await self._pipeline.hold()
        await self._database.hold()
        await self._message_log.flush_reads()

    def _go_on(self) -> None:
        self.is_still, self._answered = False, ""
        self._pipeline.go_on()
        self._database.go_on()
        _log.info("standstill_ended")

    def _asked(self) -> str | None:
        """What the request says; `None` if there is none, or if who asked has gone."""
        moved, pause = self._folder / MOVED, self._folder / PAUSE
        if moved.exists():
            return ""
        try:
            said = pause.read_text("utf-8")
            age_s = time.time() - pause.stat().st_mtime
        except OSError:
            if moved.exists():
                return ""  # it was renamed in this moment
            with contextlib.suppress(OSError):
                (self._folder / PAUSED).unlink()
            return None
        if age_s < STALE_S:
            return said or None  # empty: somebody made it by hand, and waits for no answer
        with contextlib.suppress(OSError):
            pause.unlink()
            (self._folder / PAUSED).unlink(missing_ok=True)
            return None
        return ""  # it was renamed in this moment

    def _answer(self, asked: str) -> None:
        if asked:
            (self._folder / PAUSED).write_text(asked, "utf-8")
            self._answered = asked

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "standstill", "1 while nothing may be written.", int(self.is_still)


def refuse_if_moved(data: Path) -> None:
    """An installation that has moved must not go on here as well. Raises `StartError`."""
    if (data / "move" / MOVED).exists():
        raise StartError(
            f"This installation has moved to PostgreSQL: set QINGNIAO_DATABASE_URL. To go back to "
            f"the state before the move, and lose what was written since, remove {data}/move."
        )
