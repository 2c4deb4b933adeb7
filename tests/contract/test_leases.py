"""What every store of leases promises: one holder at a time, by the store's clock."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from qingniao.chat.leases import Leases
from qingniao.errors import StorageError
from qingniao.storage.leases_memory import MemoryLeases
from qingniao.storage.leases_postgres import PostgresLeases
from qingniao.workers.tenure import Tenure

LONG_S = 60.0


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Of a database; empty for memory. Not in a loop: starting a server blocks."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


@pytest.fixture
async def leases(url: str) -> AsyncIterator[Leases]:
    if not url:
        yield MemoryLeases()
        return
    opened = await PostgresLeases.open(url)
    yield opened
    await opened.close()


async def test_one_holds_it_and_keeps_it(leases: Leases) -> None:
    assert await leases.take("assignment", "a", LONG_S) == 1
    assert await leases.take("assignment", "b", LONG_S) == 0
    assert await leases.take("assignment", "a", LONG_S) == 1
    assert await leases.take("reports", "b", LONG_S) == 1


async def test_of_many_who_ask_at_once_one_gets_it(leases: Leases) -> None:
    terms = await asyncio.gather(*(leases.take("x", f"{n}", LONG_S) for n in range(8)))
    assert sorted(terms) == [0] * 7 + [1]


async def test_term_goes_up_when_it_changes_hands(leases: Leases) -> None:
    assert await leases.take("x", "a", LONG_S) == 1
    await leases.give_up("x", "b")
    assert await leases.take("x", "b", LONG_S) == 0
    await leases.give_up("x", "a")
    assert await leases.take("x", "b", LONG_S) == 2
    assert await leases.take("x", "a", LONG_S) == 0


async def test_it_ends_by_itself_and_coming_late_is_a_new_term(leases: Leases) -> None:
    assert await leases.take("x", "a", 0.05) == 1
    await asyncio.sleep(0.1)
    assert await leases.take("x", "a", 0.05) == 2
    await asyncio.sleep(0.1)
    assert await leases.take("x", "b", LONG_S) == 3


class Work:
    """Counts who works at once."""

    def __init__(self) -> None:
        self.at_once = self.begun = self.most = 0

    async def run(self) -> None:
        self.begun += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.Event().wait()
        finally:
            self.at_once -= 1


async def until(claim: object) -> None:
    async with asyncio.timeout(10):
        while not claim():  # type: ignore[operator]
            await asyncio.sleep(0.002)


async def test_one_works_and_the_next_takes_over(leases: Leases) -> None:
    work = Work()
    tenures = [Tenure(leases, "x", f"{n}", work.run, ttl_s=0.6) for n in range(3)]
    tasks = [asyncio.create_task(tenure.run()) for tenure in tenures]
    for turn in range(1, 4):
        await until(lambda turn=turn: work.begun == turn)  # type: ignore[misc]
        (holder,) = [n for n, tenure in enumerate(tenures) if tenure.term]
        tasks[holder].cancel()
        await asyncio.gather(tasks[holder], return_exceptions=True)
    assert (work.most, work.at_once) == (1, 0)


class Unreachable:
    """Leases that answer until they are cut off."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.is_cut = False

    async def take(self, name: str, holder: str, ttl_s: float) -> int:
        if self.is_cut:
            raise StorageError
        return await self._leases.take(name, holder, ttl_s)

    async def give_up(self, name: str, holder: str) -> None:
        if self.is_cut:
            raise StorageError
        await self._leases.give_up(name, holder)


async def test_holder_who_is_cut_off_stops_before_the_next_begins(leases: Leases) -> None:
    work = Work()
    cut = Unreachable(leases)
    first = asyncio.create_task(Tenure(cut, "x", "a", work.run, ttl_s=0.9).run())
    await until(lambda: work.begun == 1)
    second = asyncio.create_task(Tenure(leases, "x", "b", work.run, ttl_s=0.9).run())
    cut.is_cut = True
    await until(lambda: work.begun == 2)
    assert work.most == 1
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_holder_who_is_cut_off_has_stopped_when_anybody_else_can_begin(
    leases: Leases,
) -> None:
    work = Work()
    cut = Unreachable(leases)
    holding = asyncio.create_task(Tenure(cut, "x", "a", work.run, ttl_s=0.9).run())
    await until(lambda: work.begun == 1)
    cut.is_cut = True
    async with asyncio.timeout(10):
        while not await leases.take("x", "b", LONG_S):
            await asyncio.sleep(0.001)
    assert work.at_once == 0
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_work_that_breaks_ends_the_run(leases: Leases) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        await Tenure(leases, "x", "a", breaks).run()
    assert await leases.take("x", "b", LONG_S) == 2
