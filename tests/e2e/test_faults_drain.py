"""SIGTERM under load: everybody is told when to come back, and nobody loses a message."""

import pytest
from conftest import StartServer

from qingniao.testing.drains import DrainSize, drain_under_load

pytestmark = pytest.mark.e2e

SIZE = DrainSize(rounds=1, idle=20)


async def test_stop_under_load_is_told_to_everybody_and_loses_nothing(
    start_server: StartServer,
) -> None:
    outcome = await drain_under_load(start_server, SIZE)
    assert outcome.violations == []
    assert outcome.acked > 0
