"""A server that is killed again and again under load loses nothing and repeats nothing."""

import pytest
from conftest import StartServer

from qingniao.testing.kills import KillSize, kill_under_load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SIZE = KillSize(kills=6)
"""The sixth is the first that hits a start."""


async def test_kills_lose_nothing_and_repeat_nothing(
    start_server: StartServer, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await kill_under_load(start_server, SIZE)
    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.violations == []
    assert outcome.figures["kills"] == SIZE.kills
    assert outcome.acked > 0
