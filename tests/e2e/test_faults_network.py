"""Connections that break, stall or die without a word cost nobody a message."""

import pytest
from conftest import StartServer

from qingniao.testing.holes import HoleSize, vanish
from qingniao.testing.weather import WeatherSize, bad_weather

pytestmark = pytest.mark.e2e

HOLES = HoleSize(clients=4, beat_ms=1_000)
WEATHER = WeatherSize(rounds=8, round_s=0.4)


async def test_clients_that_vanish_are_closed_in_time(start_server: StartServer) -> None:
    outcome = await vanish(start_server, HOLES)
    assert outcome.violations == []
    assert outcome.figures["vanished"] == HOLES.clients * 3


async def test_network_that_cuts_delays_slices_and_holds(start_server: StartServer) -> None:
    outcome = await bad_weather(start_server, WEATHER)
    assert outcome.violations == []
    assert outcome.figures["cuts"] > 0 and outcome.figures["holes"] > 0
    assert outcome.acked > 0
