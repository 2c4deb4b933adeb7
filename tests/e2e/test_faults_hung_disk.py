"""A disk that does not answer for a while: the server goes on hearing and speaking, and ends when
it is told to."""

import asyncio

import pytest
from conftest import StartServer
from needs import need

from qingniao.testing.drains import DrainSize, drain_on_a_hung_disk
from qingniao.testing.hangs import HangSize, hang_the_disk
from qingniao.testing.injection import can_inject

pytestmark = pytest.mark.e2e

TRACING = "A hanging disk takes strace, and the right to trace."
HANG = HangSize(hung_s=2.0)
DRAIN = DrainSize(drain_ms=1_000)


async def test_server_is_there_while_the_disk_is_not(start_server: StartServer) -> None:
    need(await asyncio.to_thread(can_inject), TRACING)
    outcome = await hang_the_disk(start_server, HANG)
    assert outcome.violations == []
    assert outcome.silence_s >= HANG.hung_s * 0.8, "it did hang"


async def test_stop_does_not_wait_for_a_disk_that_hangs(start_server: StartServer) -> None:
    need(await asyncio.to_thread(can_inject), TRACING)
    outcome = await drain_on_a_hung_disk(start_server, DRAIN)
    assert outcome.violations == []
