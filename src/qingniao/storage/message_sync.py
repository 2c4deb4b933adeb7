"""The engine's log files made durable, without stopping the rest of the process.

Owns which log files may hold what is not on disk yet; refuses to write a byte. Rule: called after a
write, by the thread that wrote; when it returns, everything written before is on disk.

rocksdict keeps Python's interpreter lock while RocksDB waits for the disk: with a synchronous write
nothing in the process runs for as long as an fsync takes, and a disk that hangs would hang even
the way out. So the engine writes to the system's cache, which takes microseconds, and the waiting
is done here, by `os.fdatasync`, which lets everybody else go on. As RocksDB does it, a log file
that was superseded is synced before the one after it: recovery stops at the first gap.
"""

import contextlib
import os
from pathlib import Path

__all__ = ["LogSync"]


class LogSync:
    """The log files of one folder. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}
        """Log files that may have to be synced, by name: the newest, and others until they were."""
        self._newest = ""

    def sync(self) -> None:
        """Everything the engine has written is on disk when this returns. Raises `OSError`."""
        # A Path for each file would cost a tenth of a small commit.
        names = [name for name in os.listdir(self._folder) if name.endswith(".log")]  # noqa: PTH208
        names.sort(key=_number)
        # Older ones were synced when they were superseded.
        names = [name for name in names if _number(name) >= _number(self._newest)]
        for name in names:
            file = self._file(name)
            if file is not None:
                os.fdatasync(file)
        if names and names[-1] != self._newest:
            self._sync_folder()
            self._newest = names[-1]
            self._close_all(but=self._newest)

    def close(self) -> None:
        """Let go of the files; they are looked up anew at the next sync."""
        self._close_all(but="")
        self._newest = ""

    def _file(self, name: str) -> int | None:
        file = self._open.get(name)
        if file is None:
            # Gone between two calls: what it held is in a table, which the engine has synced.
            with contextlib.suppress(FileNotFoundError):
                file = self._open[name] = os.open(self._folder / name, os.O_RDONLY)
        return file

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _close_all(self, but: str) -> None:
        for name in [name for name in self._open if name != but]:
            os.close(self._open.pop(name))


def _number(name: str) -> int:
    return int(name.removesuffix(".log") or 0)
