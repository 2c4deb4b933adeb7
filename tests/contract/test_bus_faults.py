"""Redis fails in every way it can: nobody waits, gaps are signalled, and all of it comes back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from bus_faults import RECOVERS_S, Ear, news, online, run, talks, vanish, well, works
from bus_processes import processes
from gateway_house import until

from qingniao.bus.base import Moved, Whisper
from qingniao.bus.redis import RedisBus
from qingniao.clock import wall_ms
from qingniao.servers.redis_arrangements import RedisServers
from qingniao.testing.drills.ways import Way

pytestmark = pytest.mark.timeout(120)


async def test_everything_gone_and_back_empty(servers: RedisServers, stack: AsyncExitStack) -> None:
    join = processes(servers, stack, deadline_ms=1_000)
    a, b = await join(), await join()
    ear = Ear(b)
    for conversation in range(1, 21):
        await b.fanout.follow(conversation)
    a.presence.enter("a:1")
    await talks(a, ear)
    limit = a.rate_limits("x", per_s=0.01, burst=1, clock=wall_ms)
    assert await limit.take("k") == 0

    await run(servers.kill_all)
    await until(lambda: a.degraded and not b.fanout.is_whole, within_s=RECOVERS_S)
    before = time.monotonic()
    for seq in range(1, 2_000):
        a.fanout.publish(news(seq))
        a.fanout.publish(Whisper(7, b"w"))
        a.queue.put("ai", seq)
    assert time.monotonic() - before < 1, "publishing waits"
    async with asyncio.timeout(RECOVERS_S):
        await b.fanout.follow(99)  # returns although nobody answers
        await a.presence.online(["v:1"])
        assert await limit.take("k") == 0  # counted here
        assert await limit.take("k") > 0
        b.queue.put("ai", 5)  # nobody takes that role here yet
        taking = asyncio.create_task(b.queue.take("ai", 10))
        await asyncio.sleep(0.05)
        b.queue.put("ai", 6)  # the sweeper's
        assert await taking == [6]
        b.queue.done("ai", 6)
    ear.heard.clear()

    await run(servers.mend)
    await well(a, b)
    await until(lambda: ear.covers(7) and ear.covers(99), within_s=RECOVERS_S)
    for conversation in (1, 7, 20, 99):
        await talks(a, ear, conversation)
    await works(a, b, 77)
    await online(b, {"a:1"})


async def test_flushed_servers_are_furnished_again(
    servers: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(servers, stack)
    a, b = await join(), await join()
    a.presence.enter("v:1")
    await works(a, b, 5)
    await run(servers.flush)
    await works(a, b, 6)
    await online(b, {"v:1"})


async def test_servers_that_stand_still_hold_up_nobody(
    servers: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(servers, stack, deadline_ms=500)
    a, b = await join(), await join()
    ear = Ear(b)
    await b.fanout.follow(7)
    for node in servers.nodes:
        await run(node.pause)
    try:
        async with asyncio.timeout(RECOVERS_S):
            await b.fanout.follow(8)
            await a.presence.online(["v:1"])
            await a.rate_limits("x", per_s=1, burst=1, clock=wall_ms).take("k")
        await until(lambda: a.degraded and not b.fanout.is_whole, within_s=RECOVERS_S)
        a.fanout.publish(news(1))
    finally:
        for node in servers.nodes:
            await run(node.resume)
    await well(a, b)
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    await talks(a, ear)


async def test_a_server_that_throws_us_out_is_not_asked_without_end(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    await b.fanout.follow(7)
    (link,) = b.servers.links
    await link.ask("CONFIG", "SET", "maxclients", 1)
    try:
        await link.ask("CONFIG", "RESETSTAT")
        await link.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(2)
        said = (await link.ask("INFO", "stats")).decode()
        rejected = int(said.split("rejected_connections:")[1].split()[0])
        assert 0 < rejected < 200
    finally:
        await link.ask("CONFIG", "SET", "maxclients", 10_000)
    await well(a, b)
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    await talks(a, ear)


async def test_a_process_that_dies_is_noticed(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    a.presence.enter("v:1")
    await online(b, {"v:1"})
    await until(lambda: b.fanout._peers)
    vanish(a)
    # What it had stored, it may have told nobody.
    await until(lambda: ear.gaps(), within_s=RECOVERS_S)
    await online(b, set(), among={"v:1"})


async def test_more_than_the_bound_is_left_out_and_said(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, waiting=50, deadline_ms=500)
    a, b = await join(), await join()
    ear = Ear(b)
    for conversation in range(1, 101):
        await b.fanout.follow(conversation)
    for link in a.servers.links:  # only this one's way out is gone
        link.on_lost = None
        link.cut()
    await asyncio.sleep(0.01)
    for conversation in range(1, 101):
        a.fanout.publish(Moved(conversation))
        a.fanout.publish(news(1, conversation))
        a.fanout.publish(Whisper(conversation, b"w"))
    await asyncio.sleep(0)
    for conversation in range(101, 3_001):
        a.fanout.publish(news(1, conversation))
    await asyncio.sleep(0)
    assert a.fanout.outgoing.held <= 50
    assert a.fanout.outgoing.dropped >= 100
    assert len(a.fanout._unsent) <= 1_001, "more than can be named is remembered"
    a.servers.look()
    await until(lambda: ear.covers(100), within_s=RECOVERS_S)


async def test_one_process_is_cut_off_from_redis(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    (node,) = redis_standalone.nodes
    way = await stack.enter_async_context(Way(node.port))
    join = processes(redis_standalone, stack, deadline_ms=500)
    b = await join()
    a = await stack.enter_async_context(_through(way, b))
    ear = Ear(b)
    await b.fanout.follow(7)
    await talks(a, ear)
    await until(lambda: b.fanout._peers)

    way.hole()
    a.fanout.publish(news(5))  # on its way, and never there
    await until(lambda: a.degraded, within_s=RECOVERS_S)
    # The others hear nothing of it any more: what it stores, they look for.
    await until(lambda: b.fanout.is_whole is False and ear.covers(7), within_s=RECOVERS_S)
    ear.heard.clear()
    way.mend()
    await well(a, b)
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    await talks(a, ear)

    ear.heard.clear()
    other = Ear(a)
    await a.fanout.follow(8)
    for _ in range(5):
        way.cut()
        way.mend()  # at once: who was cut off may come back
        await well(a, b)
        await until(lambda: other.covers(8), within_s=RECOVERS_S)
        other.heard.clear()
        await talks(b, other, 8)
        await talks(a, ear)


async def test_nobody_is_missed_while_everybody_is_written_again(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    (node,) = redis_standalone.nodes
    way = await stack.enter_async_context(Way(node.port))
    join = processes(redis_standalone, stack, deadline_ms=500)
    b = await join()
    a = await stack.enter_async_context(_through(way, b))
    everybody = {f"v:{number}" for number in range(20_000)}
    for who in everybody:
        a.presence.enter(who)
    await online(b, everybody)
    way.hole_after(30_000)

    def loses() -> bool:
        a.presence._told = False  # as after any loss: all of it is written again by the next beat
        return a.degraded

    await until(loses, within_s=RECOVERS_S)
    assert await b.presence.online(everybody) == everybody
    way.mend()


@contextlib.asynccontextmanager
async def _through(way: Way, beside: RedisBus) -> AsyncIterator[RedisBus]:
    """A process of the same installation whose only way to Redis is this one."""
    url = f"redis://127.0.0.1:{way.port}"
    bus = RedisBus(msgspec.structs.replace(beside._config, url=url))
    await bus.open()
    yield bus
    await bus.close()


async def test_a_start_while_redis_is_away_and_its_coming(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    await run(redis_standalone.kill_all)
    join = processes(redis_standalone, stack, deadline_ms=500)
    async with asyncio.timeout(RECOVERS_S):
        a, b = await join(), await join()
        await b.fanout.follow(7)
    ear = Ear(b)
    assert a.degraded
    await run(redis_standalone.mend)
    await well(a, b)
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    await talks(a, ear)
    await works(a, b, 3)
