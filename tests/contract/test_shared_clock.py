"""Processes whose own clocks are apart agree on the time: it is the database's."""

from collections.abc import AsyncIterator

import pytest

from qingniao.clock import wall_ms
from qingniao.storage import shared_clock
from qingniao.storage.database import Database
from qingniao.storage.shared_clock import SharedClock

FIVE_MINUTES_MS = 300_000


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(postgres_url)
    yield database
    await database.close()


async def test_it_is_the_databases_time(database: Database) -> None:
    clock = await SharedClock.open(database)
    assert abs(clock() - wall_ms()) < 5_000, "the same machine"


async def test_a_clock_that_is_set_wrong_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = await SharedClock.open(database)
    before = clock()
    monkeypatch.setattr(shared_clock, "wall_ms", lambda: wall_ms() + FIVE_MINUTES_MS)
    await clock.look()
    assert abs(clock() - before) < 5_000
    (reading,) = clock.readings()
    assert abs(float(reading[3]) - FIVE_MINUTES_MS) < 5_000  # type: ignore[arg-type]


async def test_an_answer_that_took_long_is_not_believed(database: Database) -> None:
    counted = iter([0.0, 0.0, 0.0, 100.0, 700.0])
    clock = SharedClock(database, lambda: next(counted, 0.0))
    await clock.look()
    first = clock._began_ms
    await clock.look()
    assert clock._began_ms == first
