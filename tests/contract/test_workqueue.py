"""`bus.base.WorkQueue`: each conversation to one taker, waiting once, within a bound."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from qingniao.bus.memory import MemoryWorkQueue

ENGINES: dict[str, Callable[..., Any]] = {"memory": MemoryWorkQueue}


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return ENGINES[request.param]


async def take(queue: Any, role: str = "ai") -> int:
    async with asyncio.timeout(2):
        return int(await queue.take(role))


async def test_first_come_first_served(make: Callable[..., Any]) -> None:
    queue = make()
    for conversation in (3, 1, 2):
        queue.put("ai", conversation)
    assert [await take(queue) for _ in range(3)] == [3, 1, 2]


async def test_what_waits_already_is_not_queued_twice(make: Callable[..., Any]) -> None:
    queue = make()
    for conversation in (1, 1, 2, 1):
        queue.put("ai", conversation)
    assert queue.depth("ai") == 2
    assert [await take(queue), await take(queue)] == [1, 2]
    queue.put("ai", 1)
    assert await take(queue) == 1


async def test_roles_are_apart(make: Callable[..., Any]) -> None:
    queue = make()
    queue.put("ai", 1)
    queue.put("index", 1)
    assert await take(queue, "index") == 1
    assert await take(queue, "ai") == 1


async def test_taker_waits_for_the_next(make: Callable[..., Any]) -> None:
    queue = make()
    taking = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    assert not taking.done()
    queue.put("ai", 5)
    assert await taking == 5


async def test_each_goes_to_one_taker(make: Callable[..., Any]) -> None:
    queue = make()
    taking = [asyncio.create_task(take(queue)) for _ in range(5)]
    await asyncio.sleep(0)
    for conversation in range(1, 6):
        queue.put("ai", conversation)
    assert sorted(await asyncio.gather(*taking)) == [1, 2, 3, 4, 5]


async def test_full_queue_refuses(make: Callable[..., Any]) -> None:
    queue = make(capacity=3)
    for conversation in range(1, 10):
        queue.put("ai", conversation)
    assert queue.depth("ai") == 3
    await take(queue)
    queue.put("ai", 9)
    assert queue.depth("ai") == 3


async def test_taker_that_gives_up_takes_nothing_with_it(make: Callable[..., Any]) -> None:
    queue = make()
    gives_up = asyncio.create_task(queue.take("ai"))
    stays = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    queue.put("ai", 1)
    gives_up.cancel()  # woken for it, but not yet running
    await asyncio.gather(gives_up, return_exceptions=True)
    assert await stays == 1


async def test_takers_that_gave_up_leave_nothing_behind(make: Callable[..., Any]) -> None:
    queue = make()
    for _ in range(50):
        try:
            async with asyncio.timeout(0):
                await queue.take("ai")
        except TimeoutError:
            pass
    queue.put("ai", 1)
    assert await take(queue) == 1
