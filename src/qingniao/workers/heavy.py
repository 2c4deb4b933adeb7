"""The child process of `learning`: `python -m qingniao.workers.heavy SOURCE TARGET`.

Rule: it imports as little as possible (a start waits for it) and takes what the sockets leave of
the CPU.
"""

import contextlib
import os
import sys
from pathlib import Path

from qingniao.training import build

__all__ = ["main"]


def main() -> None:
    """Build one version at low priority and end."""
    os.nice(10)
    # A nice process still finishes its turn, milliseconds, when the sockets want the core back.
    with contextlib.suppress(AttributeError, OSError):  # not every system has it, or allows it
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    source, target = (Path(argument) for argument in sys.argv[1:3])
    build(source, target)


if __name__ == "__main__":
    main()
