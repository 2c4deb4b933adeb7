"""The bots' page in real Chromium, against a real server and the platforms' doubles
(`web/e2e/bots.mjs`)."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).parent / "screenshots"
SCREENS = (
    "empty", "missing", "refused", "dify", "draft", "list", "try", "try-truncated", "broken",
    "broken-one", "try-broken", "compare", "back", "delete", "dark", "dark-one",
)  # fmt: skip


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_administrator_adds_tries_breaks_and_takes_back_bots_in_a_real_browser() -> None:
    """Pictures at 390 and 1440 pixels are left in `tests/e2e/screenshots` to be looked at."""
    done = subprocess.run(
        ["bash", "web/node.sh", "node", "e2e/bots.mjs", str(PICTURES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "story: done" in done.stderr
    for screen in SCREENS:
        for width in (390, 1440):
            assert (PICTURES / f"bots-{screen}-{width}.png").stat().st_size > 10_000
