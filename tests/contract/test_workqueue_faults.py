"""Workers die, stand still or kill: what they had is done by another, once, or set aside."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from bus_faults import RECOVERS_S, run, vanish, works
from bus_processes import processes
from gateway_house import until

from qingniao.bus.redis import RedisBus
from qingniao.servers.redis_arrangements import RedisServers

pytestmark = pytest.mark.timeout(120)


async def test_what_a_dead_worker_held_is_taken_over(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=1_000)
    a, b = await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    vanish(a)
    async with asyncio.timeout(RECOVERS_S):
        assert await b.queue.take("ai") == [1]
    b.queue.done("ai", 1)
    assert b.queue.streams.claimed == 1


async def test_what_a_slow_worker_holds_stays_its_own(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=600)
    a, b = await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    taking = asyncio.create_task(b.queue.take("ai"))
    await asyncio.sleep(2)
    a.queue.put("ai", 1)  # and news of it waits for the one who has it
    await asyncio.sleep(1)
    assert not taking.done()
    a.queue.done("ai", 1)
    async with asyncio.timeout(RECOVERS_S):
        assert await taking == [1]


async def test_what_waits_for_a_slow_worker_is_not_taken_for_poison(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=200, tries=2)
    a, b = await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    taking = asyncio.create_task(b.queue.take("ai"))
    a.queue.put("ai", 1)
    await asyncio.sleep(4)  # many times as long as a claim
    a.queue.done("ai", 1)
    async with asyncio.timeout(RECOVERS_S):
        assert await taking == [1]
    assert b.queue.streams.set_aside == b.queue.streams.skipped == 0


async def test_what_waits_for_another_worker_is_given_back_at_the_end(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=60_000)
    a, b, c = await join(), await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    taking = asyncio.create_task(b.queue.take("ai"))
    a.queue.put("ai", 1)
    await until(lambda: _blocked(b) == {1}, within_s=RECOVERS_S)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await b.close()
    a.queue.done("ai", 1)
    async with asyncio.timeout(RECOVERS_S):
        assert await c.queue.take("ai") == [1]


async def test_a_reply_that_nobody_expected_does_not_end_the_looking(
    redis_standalone: RedisServers, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = processes(redis_standalone, stack, claim_ms=60_000)
    a, b = await join(), await join()
    for conversation in (1, 2):
        a.queue.put("ai", conversation)
        assert await a.queue.take("ai") == [conversation]
    taking = asyncio.create_task(b.queue.take("ai"))
    a.queue.put("ai", 1)
    await until(lambda: _blocked(b) == {1}, within_s=RECOVERS_S)
    failed = asyncio.Event()

    async def fails(*_: object) -> dict[int, int]:
        failed.set()
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(b.queue.streams, "verdicts", fails)
        async with asyncio.timeout(RECOVERS_S):
            await failed.wait()
    a.queue.put("ai", 2)
    await until(lambda: 2 in _blocked(b), within_s=RECOVERS_S)
    a.queue.done("ai", 2)
    async with asyncio.timeout(RECOVERS_S):
        assert await taking == [2]


async def test_news_of_what_somebody_is_at_does_not_pile_up(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    """Neither with the one who has it nor with another who is idle."""
    join = processes(redis_standalone, stack, claim_ms=60_000)
    a, b = await join(), await join()
    stream = a.queue.streams.stream("ai", 1)

    async def entries() -> int:
        return int(await a.servers.ask(stream, "XLEN", stream))

    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    for process in (a, b):
        before = await entries()
        for _ in range(10):
            taking = asyncio.create_task(process.queue.take("ai"))
            a.queue.put("ai", 1)
            await asyncio.sleep(0.1)  # for it to be read: then the next is not left out
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
        assert await entries() <= before + (process is b)
    a.queue.done("ai", 1)
    async with asyncio.timeout(RECOVERS_S):
        assert await b.queue.take("ai") == [1]
    b.queue.done("ai", 1)
    await until(lambda: not b.queue._roles["ai"].held)
    async with asyncio.timeout(RECOVERS_S):
        while await entries():
            await asyncio.sleep(0.05)


async def test_a_full_redis_is_not_asked_without_end(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack)
    a, b = await join(), await join()
    (node,) = redis_standalone.nodes
    a.queue.put("ai", 1)  # there is a stream, and no group yet
    await a.fanout.outgoing.flushed(RECOVERS_S)
    await run(node.ask, "CONFIG", "SET", "maxmemory", 1)
    try:
        await run(node.ask, "CONFIG", "RESETSTAT")
        taking = asyncio.create_task(b.queue.take("ai"))
        await asyncio.sleep(2)
        said = await run(node.info, "commandstats")
        asked = [said.get(f"cmdstat_{word}", "calls=0,") for word in ("xreadgroup", "xautoclaim")]
        assert 0 < sum(int(one.split("=")[1].split(",")[0]) for one in asked) < 200
    finally:
        await run(node.ask, "CONFIG", "SET", "maxmemory", 0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await works(a, b, 2)


async def test_what_is_taken_again_at_once_is_not_set_free(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack)
    a, b = await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    a.queue.done("ai", 1)
    assert await a.queue.streams.verdicts("ai", 1, [1]) == {1: 1}
    await a.fanout.outgoing.flushed(RECOVERS_S)
    assert await b.queue.streams.verdicts("ai", 1, [1]) == {1: 0}


async def test_what_kills_its_workers_is_set_aside(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=200, tries=2)
    puts = await join()
    puts.queue.put("ai", 13)
    for _ in range(2):
        worker = await join()
        async with asyncio.timeout(RECOVERS_S):
            assert await worker.queue.take("ai") == [13]
        vanish(worker)
    last = await join()
    taking = asyncio.create_task(last.queue.take("ai"))
    await until(lambda: last.queue.streams.set_aside == 1, within_s=RECOVERS_S)
    puts.queue.put("ai", 13)
    await until(lambda: last.queue.streams.skipped, within_s=RECOVERS_S)
    puts.queue.put("ai", 14)
    async with asyncio.timeout(RECOVERS_S):
        assert await taking == [14]
    stream = last.queue.streams.stream("ai", 13 % 4)
    dead = await last.servers.ask(stream, "XRANGE", stream + b":dead", "-", "+")
    assert [fields[1] for _, fields in dead] == [b"13"]
    readings = {name: value for _, name, _, value in last.readings()}
    assert readings["work_set_aside"] == 1


def _blocked(bus: RedisBus) -> set[int]:
    """What has to wait here until another process is done with it."""
    return {conversation for queue in bus.queue._roles.values() for conversation in queue._blocked}
