"""Redis fails in every way it can: nobody waits, gaps are signalled, and all of it comes back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from bus_processes import processes
from gateway_house import until

from qingniao.bus.base import Gap, Moved, News, Released, Told, Whisper
from qingniao.bus.redis import RedisBus
from qingniao.bus.redis_servers import slot_of
from qingniao.clock import wall_ms
from qingniao.servers.redis import Cluster, RedisServers, Sentinels
from qingniao.testing.drills.ways import Way

pytestmark = pytest.mark.timeout(120)
RECOVERS_S = 30.0


def news(seq: int, conversation: int = 7) -> News:
    return News(conversation, (Told(seq, 1, b"%d" % seq),))


@pytest.fixture(params=["standalone", "cluster"])
def servers(request: pytest.FixtureRequest) -> RedisServers:
    found: RedisServers = request.getfixturevalue(f"redis_{request.param}")
    found.mend()
    return found


@pytest.fixture
def cluster(redis_cluster: Cluster) -> Cluster:
    redis_cluster.mend()
    return redis_cluster


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Ear:
    """What one process hears."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.heard: list[Any] = []
        bus.fanout.subscribe(self.heard.append)

    def gaps(self) -> list[Gap]:
        return [item for item in self.heard if isinstance(item, Gap)]

    def covers(self, conversation: int) -> bool:
        """Was it said that this conversation has a gap?"""
        return any(not g.conversations or conversation in g.conversations for g in self.gaps())

    def has(self, item: Any) -> bool:
        return item in self.heard


async def run(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a fixture does to its servers takes time."""
    return await asyncio.to_thread(call, *arguments)


async def well(*buses: RedisBus) -> None:
    """Everything is in force again."""
    await until(lambda: not any(bus.degraded for bus in buses), within_s=RECOVERS_S)


async def talks(speaks: RedisBus, ear: Ear, conversation: int = 7) -> None:
    """What one publishes, the other hears; perhaps not at once after a change of hands, which the
    servers themselves take a moment to know of."""
    seq = 100_000
    async with asyncio.timeout(RECOVERS_S):
        while True:
            seq += 1
            speaks.fanout.publish(news(seq, conversation))
            for _ in range(20):
                if ear.has(news(seq, conversation)):
                    return
                await asyncio.sleep(0.01)


async def works(puts: RedisBus, takes: RedisBus, conversation: int) -> None:
    """What one puts, the other takes."""
    puts.queue.put("ai", conversation)
    async with asyncio.timeout(RECOVERS_S):
        while conversation not in (taken := await takes.queue.take("ai", 10)):
            for one in taken:
                takes.queue.done("ai", one)
    for one in taken:
        takes.queue.done("ai", one)


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
    async with asyncio.timeout(RECOVERS_S):
        while await b.presence.online(["a:1"]) != {"a:1"}:
            await asyncio.sleep(0.05)


async def test_flushed_servers_are_furnished_again(
    servers: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(servers, stack)
    a, b = await join(), await join()
    a.presence.enter("v:1")
    await works(a, b, 5)
    await run(servers.flush)
    await works(a, b, 6)
    async with asyncio.timeout(RECOVERS_S):
        while await b.presence.online(["v:1"]) != {"v:1"}:
            await asyncio.sleep(0.05)


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


async def test_a_primary_is_killed_while_everybody_talks_and_works(
    cluster: Cluster, stack: AsyncExitStack
) -> None:
    join = processes(cluster, stack, deadline_ms=1_000, claim_ms=2_000)
    a, b = await join(), await join()
    ear = Ear(b)
    conversations = range(1, 61)
    await asyncio.gather(*(b.fanout.follow(c) for c in conversations))
    published: dict[int, set[int]] = {c: set() for c in conversations}
    taken: set[int] = set()

    async def talk() -> None:
        for seq in range(1, 10_000):
            for conversation in conversations:
                a.fanout.publish(news(seq, conversation))
                published[conversation].add(seq)
                a.queue.put("ai", conversation)
            await asyncio.sleep(0.02)

    async def work() -> None:
        while True:
            for conversation in await b.queue.take("ai", 5):
                taken.add(conversation)
                b.queue.done("ai", conversation)

    tasks = [asyncio.create_task(talk()), asyncio.create_task(work())]
    await until(lambda: len(ear.heard) > 500 and len(taken) == 60, within_s=RECOVERS_S)
    victim = await run(cluster.owner_of, f"{a.fanout._prefix.decode()}:c:7")
    await run(cluster.kill_primary, victim)
    await well(a, b)
    taken.clear()
    await until(lambda: len(taken) == 60, within_s=RECOVERS_S)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert not tasks[1].done()
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    for conversation in conversations:
        await talks(a, ear, conversation)
    for conversation in conversations:
        got = {
            i.entries[0].seq
            for i in ear.heard
            if type(i) is News and i.conversation == conversation
        }
        assert got >= published[conversation] or ear.covers(conversation), "lost without a word"
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    await run(cluster.mend)


async def test_an_orderly_failover_is_followed(cluster: Cluster, stack: AsyncExitStack) -> None:
    join = processes(cluster, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    await asyncio.gather(*(b.fanout.follow(c) for c in range(1, 31)))
    for primary in await run(lambda: cluster.primaries):
        await run(cluster.failover, primary)
    await well(a, b)
    for conversation in range(1, 31):
        await talks(a, ear, conversation)
    await works(a, b, 4)


async def test_slots_move_while_they_are_followed(cluster: Cluster, stack: AsyncExitStack) -> None:
    join = processes(cluster, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    prefix = a.fanout._prefix
    conversations = list(range(1, 41))
    await asyncio.gather(*(b.fanout.follow(c) for c in conversations))
    await works(a, b, 1)
    a.queue.put("ai", 9)
    a.presence.enter("v:1")
    published: dict[int, set[int]] = {c: set() for c in conversations}

    async def talk() -> None:
        for seq in range(1, 10_000):
            for conversation in conversations:
                a.fanout.publish(news(seq, conversation))
                published[conversation].add(seq)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(talk())
    target = (await run(lambda: cluster.primaries))[0]
    slots = {slot_of(b"%b:c:%d" % (prefix, c)) for c in conversations}
    slots |= {slot_of(b"%b:desk" % prefix), slot_of(b"{%b:w1}" % prefix)}
    await run(cluster.move_slots, slots, target)
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await well(a, b)
    for conversation in conversations:
        await talks(a, ear, conversation)
    for conversation in conversations:
        got = {
            i.entries[0].seq
            for i in ear.heard
            if type(i) is News and i.conversation == conversation
        }
        assert got >= published[conversation] or ear.covers(conversation), "lost without a word"
    a.fanout.publish(Released("flow", "2"))
    await until(lambda: ear.has(Released("flow", "2")))
    await works(a, b, 5)
    await works(a, b, 9)


async def test_a_server_without_a_channel_left_is_still_heard(
    cluster: Cluster, stack: AsyncExitStack
) -> None:
    bus = await processes(cluster, stack)()
    prefix, address_of = bus.fanout._prefix, bus.servers.address_of
    desk = address_of(slot_of(b"%b:desk" % prefix))
    other = next(c for c in range(1, 100) if address_of(slot_of(b"%b:c:%d" % (prefix, c))) != desk)
    await bus.fanout.follow(other)
    bus.fanout.unfollow(other)
    await asyncio.sleep(3)  # it is asked whether it is there every second
    assert bus.fanout.listener.losses == 0


async def test_one_channel_that_has_moved_makes_nobody_deaf(
    cluster: Cluster, stack: AsyncExitStack
) -> None:
    join = processes(cluster, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    prefix, address_of = b.fanout._prefix, b.servers.address_of
    desk = address_of(slot_of(b"%b:desk" % prefix))
    moved = next(c for c in range(1, 100) if address_of(slot_of(b"%b:c:%d" % (prefix, c))) == desk)
    owner = await run(cluster.owner_of, f"{prefix.decode()}:c:{moved}")
    others = [node for node in await run(lambda: cluster.primaries) if node is not owner]
    await run(cluster.move_slots, {slot_of(b"%b:c:%d" % (prefix, moved))}, others[0])
    await b.fanout.follow(moved)
    await talks(a, ear, moved)
    assert b.fanout.listener.losses == 0


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


async def test_sentinels_name_another_primary(
    redis_sentinels: Sentinels, stack: AsyncExitStack
) -> None:
    join = processes(redis_sentinels, stack, deadline_ms=1_000)
    a, b = await join(), await join()
    ear = Ear(b)
    await b.fanout.follow(7)
    await talks(a, ear)
    await works(a, b, 1)
    await run(redis_sentinels.kill_primary)
    await well(a, b)
    await until(lambda: ear.covers(7), within_s=RECOVERS_S)
    await talks(a, ear)
    await works(a, b, 2)


async def test_what_a_dead_worker_held_is_taken_over(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack, claim_ms=1_000)
    a, b = await join(), await join()
    a.queue.put("ai", 1)
    assert await a.queue.take("ai") == [1]
    _vanish(a)
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
    await until(
        lambda: any(queue._blocked for queue in b.queue._roles.values()), within_s=RECOVERS_S
    )
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await b.close()
    a.queue.done("ai", 1)
    async with asyncio.timeout(RECOVERS_S):
        assert await c.queue.take("ai") == [1]


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
        _vanish(worker)
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


async def test_a_process_that_dies_is_noticed(
    redis_standalone: RedisServers, stack: AsyncExitStack
) -> None:
    join = processes(redis_standalone, stack)
    a, b = await join(), await join()
    ear = Ear(b)
    a.presence.enter("v:1")
    async with asyncio.timeout(RECOVERS_S):
        while await b.presence.online(["v:1"]) != {"v:1"}:
            await asyncio.sleep(0.05)
    await until(lambda: b.fanout._peers)
    _vanish(a)
    # What it had stored, it may have told nobody.
    await until(lambda: ear.gaps(), within_s=RECOVERS_S)
    async with asyncio.timeout(RECOVERS_S):
        while await b.presence.online(["v:1"]):
            await asyncio.sleep(0.05)


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


def _vanish(bus: RedisBus) -> None:
    """As if its process were killed: nothing is given back, nobody hears a goodbye."""
    bus.fanout.outgoing.close()
    for queue in bus.queue._roles.values():
        for task in queue._tasks:
            task.cancel()
    bus.queue._roles.clear()
    for task in (bus.presence._beating, *bus.fanout._tasks):
        assert task is not None
        task.cancel()


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
