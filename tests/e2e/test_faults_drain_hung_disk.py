"""SIGTERM while the disk hangs: the process ends within its deadline all the same."""

import asyncio

import pytest
from conftest import StartServer, need

from qingniao.testing.drains import DrainSize, drain_on_a_hung_disk
from qingniao.testing.injection import can_inject

pytestmark = pytest.mark.e2e

SIZE = DrainSize(drain_ms=1_000)


async def test_stop_does_not_wait_for_a_disk_that_hangs(start_server: StartServer) -> None:
    need(await asyncio.to_thread(can_inject), "a hanging disk needs strace, and the right to trace")
    outcome = await drain_on_a_hung_disk(start_server, SIZE)
    assert outcome.violations == []
