"""Stories that a script tells in real Chromium (`web/e2e/*.mjs`), as tests see them.

Rule: pictures at 390 and 1440 pixels are left in `tests/e2e/screenshots` to be looked at.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

__all__ = ["play"]

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "tests" / "e2e" / "screenshots"
WIDTHS = (390, 1440)
_LIMIT_S = 220


def play(script: str, screens: Iterable[str] = ()) -> None:
    """Have `web/e2e/SCRIPT` told to its end; fails unless it leaves a picture of each screen at
    both widths."""
    done = subprocess.run(
        ["bash", "web/node.sh", "node", f"e2e/{script}", str(PICTURES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "story: done" in done.stderr
    for screen in screens:
        for width in WIDTHS:
            assert (PICTURES / f"{screen}-{width}.png").stat().st_size > 10_000
