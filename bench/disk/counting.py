"""What an engine really gives the disk: the sectors of a block device that nobody else uses.

Owns a file system in a file, mounted over a loop device, and its counter. It counts everything:
data, logs, compaction, checkpoints, and the file system's own journal. The device has the sectors
of the disk beneath it, so that nobody writes less than the disk would. Rule: before a figure is
taken, everything that is still in memory is written.

`/proc/PID/io` would need no root, and is wrong on new kernels: it adds the whole of a large page of
the cache for each block that is written over in it. `proc_says` shows by how much.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qingniao.errors import StartError

__all__ = ["Disk", "kept", "mounted", "proc_says", "sector_bytes"]

_SIZE_BYTES: Final = 6 << 30
"""Of the file, which is sparse: it takes what is written."""
_SECTOR_BYTES: Final = 512
_WRITTEN: Final = 6
"""The field of `/sys/block/…/stat` with the sectors written."""


class Disk:
    """A mounted file system."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._stat = Path("/sys/block", device, "stat")

    def written(self) -> int:
        """Bytes that were written to the device so far, after everything has been."""
        os.sync()
        return int(self._stat.read_text("ascii").split()[_WRITTEN]) * _SECTOR_BYTES


@contextmanager
def mounted() -> Iterator[Disk]:
    """An empty ext4 with its usual options. Raises `StartError` where that is not possible."""
    if os.geteuid() != 0:
        raise StartError("This bench needs root: it counts on a file system of its own.")
    home = Path(tempfile.mkdtemp(prefix="qingniao-bench-"))
    home.chmod(0o755)
    image, folder = home / "image", home / "disk"
    folder.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(_SIZE_BYTES)
        # Nothing may be written later, by the kernel, that is not the engine's.
        at_once = "lazy_itable_init=0,lazy_journal_init=0"
        _run("mkfs.ext4", "-q", "-F", "-i", "1048576", "-E", at_once, str(image))
        sector = str(sector_bytes(home))
        device = _run("losetup", "--find", "--show", "--sector-size", sector, str(image)).strip()
        try:
            _run("mount", "-o", "noatime", device, str(folder))
            try:
                folder.chmod(0o755)
                yield Disk(folder, Path(device).name)
            finally:
                _run("umount", str(folder))
        finally:
            _run("losetup", "--detach", device)
    finally:
        if not os.path.ismount(folder):
            shutil.rmtree(home, ignore_errors=True)


def sector_bytes(folder: Path) -> int:
    """What the disk under a folder writes at least: its physical sector, 4,096 if it is unknown."""
    device = folder.stat().st_dev
    block = Path("/sys/dev/block", f"{os.major(device)}:{os.minor(device)}").resolve()
    for place in (block, block.parent):  # a partition has its disk above it
        size = place / "queue" / "physical_block_size"
        if size.exists():
            return min(4_096, int(size.read_text("ascii")))
    return 4_096


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError as exc:
        raise StartError(f"This bench needs the program {command[0]}.") from exc
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise StartError(f"No file system to count on can be made here: {command[0]} says: {said}")
    return done.stdout


def kept(files: Iterator[Path]) -> int:
    """Bytes that files take on the disk."""
    return sum(file.stat().st_blocks * _SECTOR_BYTES for file in files)


def proc_says(folder: Path) -> int:
    """What `/proc/self/io` counts for 8,192 bytes that are written over in a file of 16 MB."""
    path = folder / "probe"
    path.write_bytes(bytes(16 << 20))
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        before = _own_writes()
        file.write(b"x" * 8_192)
        file.flush()
        os.fsync(file.fileno())
        counted = _own_writes() - before
    path.unlink()
    return counted


def _own_writes() -> int:
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("write_bytes")))
