"""What processes take: memory as the kernel shares it out, CPU with that of their children.

Rule: a process is counted with everything that it started, also with what has ended since.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["cpu_s", "kernel_bytes", "pss_bytes"]

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size: a page that several processes have is shared out among them, so that
    the sum over all processes is what the machine gives."""
    return sum(map(_pss_bytes, _trees(pids)))


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds so far, user and system, all threads."""
    return sum(map(_cpu_s, _trees(pids)))


def kernel_bytes() -> int:
    """What the kernel keeps in its slabs, sockets among it; of the whole machine."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Slab:")) * 1024


def _trees(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):  # of whichever thread
            with suppress(OSError):
                yield from _trees(map(int, children.read_text().split()))


def _pss_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0  # it has ended, or is about to


def _cpu_s(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) * _TICK_S  # its own, and of children it waited for
    return 0.0
