"""Slots and primaries change hands while everybody talks: nothing is lost without a word."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from bus_faults import RECOVERS_S, Ear, run, talk, talks, well, works
from bus_processes import processes
from gateway_house import until

from qingniao.bus.base import Released
from qingniao.bus.redis_link import command
from qingniao.bus.redis_servers import slot_of
from qingniao.servers.redis_arrangements import Cluster, Sentinels

pytestmark = pytest.mark.timeout(120)


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

    async def work() -> None:
        while True:
            for conversation in await b.queue.take("ai", 5):
                taken.add(conversation)
                b.queue.done("ai", conversation)

    tasks = [asyncio.create_task(talk(a, published)), asyncio.create_task(work())]
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
    assert not ear.missed(published), "lost without a word"
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

    task = asyncio.create_task(talk(a, published))
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
    assert not ear.missed(published), "lost without a word"
    a.fanout.publish(Released("flow", "2"))
    await until(lambda: ear.has(Released("flow", "2")))
    await works(a, b, 5)
    await works(a, b, 9)


@pytest.mark.parametrize("names", ["ip", "unknown-endpoint"])
async def test_a_slot_on_its_way_is_asked_where_it_goes(
    cluster: Cluster, stack: AsyncExitStack, names: str
) -> None:
    """Also by servers that say only the port of the other."""
    a = await processes(cluster, stack)()
    key = b"%b:k" % a.fanout._prefix
    slot = slot_of(key)
    source = await run(cluster.owner_of, key.decode())
    target = next(node for node in await run(lambda: cluster.primaries) if node is not source)
    setting = ("CONFIG", "SET", "cluster-preferred-endpoint-type")
    try:
        for node in cluster.nodes:
            assert await run(node.ask, *setting, names) == b"OK"
        ids = [await run(cluster.id_of, node) for node in (source, target)]
        await run(target.ask, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        await run(source.ask, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        assert await a.servers.ask(key, "SADD", key, "asked") == 1
        a.fanout.outgoing.offer(slot, command("SADD", key, "offered"), droppable=False)
        await a.fanout.outgoing.flushed(RECOVERS_S)
        await run(cluster.move_slots, [slot], target)
        assert await run(target.ask, "SCARD", key) == 2
    finally:
        for node in cluster.nodes:
            await run(node.ask, *setting, "ip")
        await run(cluster.move_slots, [slot], source)


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
