"""The child process of `learning`: `python -m qingniao.workers.heavy SOURCE TARGET`.

Rule: it imports as little as possible (a start waits for it) and takes what the sockets leave of
the CPU.
"""

import os
import sys
from pathlib import Path

from qingniao.training import build

__all__ = ["main"]


def main() -> None:
    """Build one version at low priority and end."""
    os.nice(10)
    source, target = (Path(argument) for argument in sys.argv[1:3])
    build(source, target)


if __name__ == "__main__":
    main()
