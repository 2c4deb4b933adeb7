"""The wall clock steps back and forth while people talk: nobody is held up, and nothing is lost."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import gateway_house
import pytest
from gateway_house import GatewayHouse, until

from qingniao.clock import wall_ms
from qingniao.testing.history import violations
from qingniao.testing.seat import Seat, history_of

pytestmark = pytest.mark.e2e

HOUR_MS = 3_600_000
STEPS_MS = (-HOUR_MS, HOUR_MS, -24 * HOUR_MS, 24 * HOUR_MS)


async def test_steps_of_the_clock_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset_ms = 0
    clock: Callable[[], int] = lambda: wall_ms() + offset_ms  # noqa: E731
    monkeypatch.setattr(gateway_house, "wall_ms", clock)
    # The rate counts by the clock too: a step must not be charged to anybody.
    house = GatewayHouse(tmp_path / "log", wire={"rate": 10, "agent_rate": 10})
    await house.open()
    here, there = Seat(house.url, "here", "v:7"), Seat(house.url, "there", "v:7")
    async with here.client, there.client:
        for number, step_ms in enumerate(STEPS_MS):
            offset_ms += step_ms
            async with asyncio.timeout(10):
                for n in range(10):
                    await here.say(7, f"here-{number}-{n}")
                    await there.say(7, f"there-{number}-{n}")
            await here.look(7)
            here.client.drop()
        await until(lambda: here.client.cursors[7] == there.client.cursors[7] == 80)
        log = await house.log.entries(7, 0, 100)
    assert violations(history_of(7, log, [here.record(7), there.record(7)])) == []
    steps = [b.time - a.time for a, b in pairwise(log) if abs(b.time - a.time) > HOUR_MS // 2]
    assert len(steps) == len(STEPS_MS) - 1, "the clock did step while they talked"
    await house.close()
