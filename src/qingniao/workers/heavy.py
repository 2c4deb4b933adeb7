"""The child process of `learning`: `python -m qingniao.workers.heavy SOURCE TARGET`.

Rule: it imports as little as possible, for a start waits for it; who starts it sets its priority.
"""

import sys
from pathlib import Path

from qingniao.training import build

__all__ = ["main"]


def main() -> None:
    """Build one version and end."""
    source, target = (Path(argument) for argument in sys.argv[1:3])
    build(source, target)


if __name__ == "__main__":
    main()
