"""The whole story in real Chromium, with the server killed in the middle (`web/e2e/story.mjs`)."""

import pytest
from stories import play


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_visitor_bot_and_agent_survive_a_kill_in_a_real_browser() -> None:
    play("story.mjs", ("visitor-answer", "visitor-person", "console-handoff", "console-chat"))
