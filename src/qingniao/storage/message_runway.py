"""Room written ahead of the engine's log, so that a small commit is one write to the disk.

Owns zeros beyond the end of the newest log file; refuses to touch a byte that the engine wrote.
Rule: only what lies behind the file's end is written, and only by the thread that writes the log.

A file that grows makes every fsync write the file system's journal as well: on ext4 that is three
blocks more for a message alone, and the wait for them. Within room that is there already an fsync
writes only the block that changed. The engine takes zeros for the end of its log, and cuts off what
is left of them when it is done with the file. A log file that it uses again brings its own room.
"""

import os
from pathlib import Path
from typing import Final

__all__ = ["SMALL_BYTES", "Runway"]

SMALL_BYTES: Final = 12_288
"""A larger commit pays for the journal easily, and the zeros would cost it as much again."""
_ROOM_BYTES: Final = 1 << 20
_FIRST_ROOM_BYTES: Final = 8 << 20
_OVERHEAD_BYTES: Final = 64
"""More than the engine adds to one batch in its log."""


class Runway:
    """The room of one folder. What is counted in here is rather too much than too little: the end
    of the room is looked at early, never late."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = ""
        self._used = 0  # of the newest log file, at most
        self._since = 0  # bytes written since that file was looked at
        self._commits = 0  # and in how many commits
        self._left = 0

    def prepare(self, batch_bytes: int, *, sync: bool) -> None:
        """A batch is about to be written. Never raises: without room it only costs more."""
        size = batch_bytes + batch_bytes // 1_024 + _OVERHEAD_BYTES
        self._since += size
        self._left -= size
        self._commits += sync
        if sync and self._left < 0 and batch_bytes <= SMALL_BYTES:
            try:
                self._left = self._look(size)
            except (OSError, ValueError):
                self._left = _ROOM_BYTES  # look again after as much

    def open(self) -> None:
        """The log was opened: make room for what a quiet day writes. Never raises."""
        try:
            self._log = self._newest()
            self._left = self._make_room(_FIRST_ROOM_BYTES)
        except (OSError, ValueError):
            self._left = 0

    def _look(self, coming: int) -> int:
        """How much room there is after what is coming; makes some if there is none."""
        newest = self._newest()
        # What was written since the last look is all that can be in a file that is new since then.
        self._used = self._since if newest != self._log else self._used + self._since
        are_small = self._since <= self._commits * SMALL_BYTES
        self._log, self._since, self._commits = newest, 0, 0
        left = (self._folder / newest).stat().st_size - self._used
        if left > 0 or not are_small:
            return max(0, left)
        left = self._make_room(_ROOM_BYTES) - coming
        self._used += coming
        return left

    def _newest(self) -> str:
        return max(self._folder.glob("*.log"), key=lambda path: int(path.stem)).name

    def _make_room(self, size: int) -> int:
        """Zeros behind the end of the newest log file."""
        file = os.open(self._folder / self._log, os.O_WRONLY)
        try:
            self._used = os.fstat(file).st_size
            written = os.pwrite(file, bytes(size), self._used)
            os.fdatasync(file)
        finally:
            os.close(file)
        return written
