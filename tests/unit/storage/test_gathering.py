"""Questions that are asked at the same time go together, and nobody pays for another's."""

import asyncio
from collections.abc import Sequence

import pytest

from qingniao.errors import StorageError
from qingniao.storage.postgres_gathering import Gathering


class Database:
    """Doubles numbers, one statement after the other is let through."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fault: Exception | None = None

    async def ask(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return [2 * number for number in numbers]


def gathering(database: Database, *, deadline_s: float = 5.0) -> Gathering[int, int]:
    return Gathering(database.ask, most=10, deadline_s=deadline_s)


async def test_everybody_gets_their_own_answer_in_few_statements() -> None:
    database = Database()
    double = gathering(database)
    assert await asyncio.gather(*map(double, range(95))) == [2 * n for n in range(95)]
    assert len(database.asked) == 10 and max(map(len, database.asked)) == 10
    assert await double(7) == 14, "and one who comes alone does not wait for others"
    assert database.asked[-1] == [7]
    await double.close()


async def test_what_comes_while_statements_are_on_their_way_goes_with_the_next() -> None:
    database = Database()
    double = gathering(database)
    database.may_answer.clear()
    asking = [asyncio.create_task(double(1))]
    await asyncio.sleep(0.01)
    asking.append(asyncio.create_task(double(2)))
    await asyncio.sleep(0.01)
    asking += [asyncio.create_task(double(n)) for n in (3, 4, 5)]
    await asyncio.sleep(0.01)
    assert database.asked == [[1], [2]], "two at the same time, in case that one hangs"
    database.may_answer.set()
    assert await asyncio.gather(*asking) == [2, 4, 6, 8, 10]
    assert database.asked[2:] == [[3, 4, 5]]


async def test_a_fault_is_told_to_those_who_asked_and_to_nobody_later() -> None:
    database = Database()
    double = gathering(database)
    database.fault = StorageError("The database is away.")
    told = await asyncio.gather(double(1), double(2), return_exceptions=True)
    assert [str(fault) for fault in told] == ["The database is away."] * 2
    database.fault = None
    assert await double(3) == 6


async def test_who_leaves_takes_nobody_along() -> None:
    database = Database()
    double = gathering(database)
    database.may_answer.clear()
    first = asyncio.create_task(double(1))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(double(2))
    await asyncio.sleep(0.01)
    late = [asyncio.create_task(double(n)) for n in (3, 4, 5)]
    await asyncio.sleep(0.01)
    first.cancel()
    late[0].cancel()
    await asyncio.sleep(0)
    database.may_answer.set()
    assert await asyncio.gather(second, *late[1:]) == [4, 8, 10]
    assert database.asked[-1] == [4, 5], "nobody wants the answer of the one who left"


async def test_waiting_ends_by_a_deadline_and_by_closing() -> None:
    database = Database()
    database.may_answer.clear()
    with pytest.raises(StorageError, match="too busy"):
        await gathering(database, deadline_s=0.01)(1)
    double = gathering(database)
    asking = [asyncio.create_task(double(n)) for n in range(30)]
    await asyncio.sleep(0.01)
    await double.close()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(fault) for fault in told} == {StorageError}


async def test_who_asks_again_just_when_all_statements_end_is_not_left_waiting() -> None:
    database = Database()
    double = gathering(database)
    database.may_answer.clear()

    async def asks_twice() -> int:
        return await double(await double(1))

    again = asyncio.create_task(asks_twice())
    await asyncio.sleep(0.01)
    other = asyncio.create_task(double(3))
    await asyncio.sleep(0.01)
    database.may_answer.set()  # both statements end in the same turn of the loop
    assert await asyncio.gather(again, other) == [4, 6]
