"""The bots' page in real Chromium, against a real server and the platforms' doubles
(`web/e2e/bots.mjs`)."""

import pytest
from stories import play

SCREENS = (
    "empty", "missing", "refused", "dify", "draft", "list", "try", "try-truncated", "broken",
    "broken-one", "try-broken", "compare", "back", "delete", "dark", "dark-one",
)  # fmt: skip


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_administrator_adds_tries_breaks_and_takes_back_bots_in_a_real_browser() -> None:
    play("bots.mjs", (f"bots-{screen}" for screen in SCREENS))
