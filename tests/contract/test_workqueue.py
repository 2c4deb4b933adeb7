"""`bus.base.WorkQueue`: each conversation to one taker, waiting once, until it is done."""

import asyncio
from typing import Any

from bus_processes import Join

from qingniao.bus.base import WorkQueue
from qingniao.bus.memory import MemoryWorkQueue


async def take(queue: WorkQueue, role: str = "ai") -> int:
    """One, and it is done."""
    async with asyncio.timeout(5):
        (conversation,) = await queue.take(role)
    queue.done(role, conversation)
    return conversation


async def take_all(queue: WorkQueue, count: int, role: str = "ai") -> list[int]:
    """So many, taken in whatever pieces they come."""
    taken: list[int] = []
    async with asyncio.timeout(5):
        while len(taken) < count:
            taken += await queue.take(role, count - len(taken))
    return taken


async def nothing_waits(queue: WorkQueue, role: str = "ai") -> bool:
    """Is there nothing to take for a while?"""
    try:
        async with asyncio.timeout(0.4):
            return not await queue.take(role)
    except TimeoutError:
        return True


async def test_what_was_put_is_taken(join: Join) -> None:
    puts, takes = (await join()).queue, (await join()).queue
    for conversation in range(1, 51):
        puts.put("ai", conversation)
    assert sorted(await take_all(takes, 50)) == list(range(1, 51))
    assert await nothing_waits(takes)


async def test_what_waits_already_is_not_queued_twice(join: Join) -> None:
    queue = (await join()).queue
    for conversation in (1, 1, 2, 1):
        queue.put("ai", conversation)
    await asyncio.sleep(0.05)
    queue.put("ai", 2)
    await asyncio.sleep(0.05)
    taken = await take_all(queue, 2)
    assert sorted(taken) == [1, 2]
    for conversation in taken:
        queue.done("ai", conversation)
    assert await nothing_waits(queue)
    queue.put("ai", 1)
    assert await take(queue) == 1


async def test_news_while_it_is_handled_comes_again(join: Join) -> None:
    queue = (await join()).queue
    queue.put("ai", 1)
    assert await take_all(queue, 1) == [1]
    queue.put("ai", 1)
    assert await take_all(queue, 1) == [1]
    queue.done("ai", 1)
    assert await nothing_waits(queue)


async def test_roles_are_apart(join: Join) -> None:
    queue = (await join()).queue
    queue.put("ai", 1)
    queue.put("index", 1)
    assert await take(queue, "index") == 1
    assert await take(queue, "ai") == 1


async def test_taker_waits_for_the_next(join: Join) -> None:
    queue = (await join()).queue
    taking = asyncio.create_task(take(queue))
    await asyncio.sleep(0.05)
    assert not taking.done()
    queue.put("ai", 5)
    assert await taking == 5


async def test_each_goes_to_one_taker_of_all_processes(join: Join) -> None:
    queues = [(await join()).queue for _ in range(3)]
    taking = [asyncio.create_task(take(queues[n % 3])) for n in range(6)]
    await asyncio.sleep(0.05)
    for conversation in range(1, 7):
        queues[0].put("ai", conversation)
    assert sorted(await asyncio.gather(*taking)) == [1, 2, 3, 4, 5, 6]


async def test_one_conversation_is_with_one_process_at_a_time(join: Join) -> None:
    queues = [(await join()).queue for _ in range(2)]
    at_it: set[int] = set()
    handled: list[int] = []

    async def work(queue: WorkQueue) -> None:
        while True:
            for conversation in await queue.take("ai", 3):
                if conversation in at_it:
                    # The same process is told of news; a dispatcher remembers it.
                    assert conversation in mine[id(queue)]
                    continue
                at_it.add(conversation)
                mine[id(queue)].add(conversation)
                await asyncio.sleep(0.02)
                at_it.discard(conversation)
                mine[id(queue)].discard(conversation)
                handled.append(conversation)
                queue.done("ai", conversation)

    mine: dict[int, set[int]] = {id(queue): set() for queue in queues}
    tasks = [asyncio.create_task(work(queue)) for queue in queues]
    for round in range(20):
        for conversation in (1, 2, 3):
            queues[round % 2].put("ai", conversation)
        await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        while not {1, 2, 3} <= set(handled):
            await asyncio.sleep(0.01)
    for task in tasks:
        assert not task.done(), task.exception()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_taker_that_gives_up_takes_nothing_with_it(join: Join) -> None:
    queue = (await join()).queue
    gives_up = asyncio.create_task(queue.take("ai"))
    stays = asyncio.create_task(take(queue))
    await asyncio.sleep(0.05)
    queue.put("ai", 1)
    gives_up.cancel()
    await asyncio.gather(gives_up, return_exceptions=True)
    assert await stays == 1


async def test_takers_that_gave_up_leave_nothing_behind(join: Join) -> None:
    queue = (await join()).queue
    for _ in range(50):
        try:
            async with asyncio.timeout(0):
                await queue.take("ai")
        except TimeoutError:
            pass
    queue.put("ai", 1)
    assert await take(queue) == 1


async def test_in_memory_first_come_is_first_served() -> None:
    queue = MemoryWorkQueue()
    for conversation in (3, 1, 2):
        queue.put("ai", conversation)
    assert [await take(queue) for _ in range(3)] == [3, 1, 2]


async def test_full_queue_refuses() -> None:
    queue: Any = MemoryWorkQueue(capacity=3)
    for conversation in range(1, 10):
        queue.put("ai", conversation)
    assert queue.depth("ai") == 3
    await take(queue)
    queue.put("ai", 9)
    assert queue.depth("ai") == 3
