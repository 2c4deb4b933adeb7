"""Processes that stand still for a while cost nobody a message."""

import pytest
from conftest import StartServer

from qingniao.testing.stops import StopSize, stop_a_client, stop_the_server

pytestmark = pytest.mark.e2e

UNNOTICED = StopSize(stopped_s=1.0)
NOTICED = StopSize(stopped_s=2.0, beat_ms=500)
SENT_AWAY = StopSize(stopped_s=4.0, beat_ms=1_000)


async def test_short_stop_of_the_server_is_waited_out(start_server: StartServer) -> None:
    outcome = await stop_the_server(start_server, UNNOTICED)
    assert outcome.violations == []
    assert outcome.figures["reconnects"] == 0
    assert outcome.silence_s >= UNNOTICED.stopped_s * 0.9, "it did stand still"


async def test_long_stop_of_the_server_is_left_and_come_back_to(start_server: StartServer) -> None:
    outcome = await stop_the_server(start_server, NOTICED)
    assert outcome.violations == []
    assert outcome.figures["reconnects"] > 0


async def test_stopped_client_comes_back_to_what_it_missed(start_server: StartServer) -> None:
    outcome = await stop_a_client(start_server, SENT_AWAY)
    assert outcome.violations == []
    assert outcome.figures["sent_away"] == 1
    assert outcome.figures["its_connections"] >= 2
