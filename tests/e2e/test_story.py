"""The whole story in real Chromium, with the server killed in the middle (`web/e2e/story.mjs`)."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).parent / "screenshots"


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_visitor_bot_and_agent_survive_a_kill_in_a_real_browser() -> None:
    """Pictures at 390 and 1440 pixels are left in `tests/e2e/screenshots` to be looked at."""
    done = subprocess.run(
        ["bash", "web/node.sh", "node", "e2e/story.mjs", str(PICTURES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "story: done" in done.stderr
    for screen in ("visitor-answer", "visitor-person", "console-handoff", "console-chat"):
        for width in (390, 1440):
            assert (PICTURES / f"{screen}-{width}.png").stat().st_size > 10_000
