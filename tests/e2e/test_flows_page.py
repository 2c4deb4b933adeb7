"""Flows drawn, tried, published and taken back in real Chromium, against a real server
(`web/e2e/flows.mjs`)."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).parent / "screenshots"
SCREENS = (
    "list", "empty", "five", "findings", "mended", "try", "visitor", "conflict", "diff",
    "versions", "outline",
)  # fmt: skip


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_administrator_draws_mends_tries_publishes_and_takes_back_a_flow() -> None:
    """Pictures at 390 and 1440 pixels are left in `tests/e2e/screenshots` to be looked at."""
    done = subprocess.run(
        ["bash", "web/node.sh", "node", "e2e/flows.mjs", str(PICTURES)],
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
            assert (PICTURES / f"flow-{screen}-{width}.png").stat().st_size > 10_000
