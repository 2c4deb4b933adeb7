"""Flows drawn, tried, published and taken back in real Chromium, against a real server
(`web/e2e/flows.mjs`)."""

import pytest
from stories import play

SCREENS = (
    "list", "empty", "five", "findings", "mended", "try", "visitor", "conflict", "diff",
    "versions", "outline",
)  # fmt: skip


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_administrator_draws_mends_tries_publishes_and_takes_back_a_flow() -> None:
    play("flows.mjs", (f"flow-{screen}" for screen in SCREENS))
