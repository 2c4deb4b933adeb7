"""What the tests of a failing bus ask of it: who hears, who works, who is seen, and a line to cut.

Rule: everything here waits for what it asks, however long servers take to come back.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from gateway_house import until

from qingniao.bus.base import Gap, News, Told
from qingniao.bus.redis import RedisBus

RECOVERS_S = 30.0


def news(seq: int, conversation: int = 7) -> News:
    return News(conversation, (Told(seq, 1, b"%d" % seq),))


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

    def missed(self, published: dict[int, set[int]]) -> set[int]:
        """Conversations of which it did not hear all that was said, nor that it has a gap."""
        got: dict[int, set[int]] = {conversation: set() for conversation in published}
        for item in self.heard:
            if isinstance(item, News):
                got[item.conversation].update(told.seq for told in item.entries)
        return {c for c, said in published.items() if not (said <= got[c] or self.covers(c))}

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


async def talk(speaks: RedisBus, published: dict[int, set[int]]) -> None:
    """Without end there is news of all of these, and work with it; what was said is noted."""
    for seq in count(1):
        for conversation, said in published.items():
            speaks.fanout.publish(news(seq, conversation))
            said.add(seq)
            speaks.queue.put("ai", conversation)
        await asyncio.sleep(0.02)


async def online(sees: RedisBus, whos: set[str], among: set[str] | None = None) -> None:
    """These are online in the eyes of one process, and nobody else of those asked for."""
    async with asyncio.timeout(RECOVERS_S):
        while await sees.presence.online(among or whos) != whos:
            await asyncio.sleep(0.05)


async def works(puts: RedisBus, takes: RedisBus, conversation: int) -> None:
    """What one puts, the other takes."""
    puts.queue.put("ai", conversation)
    async with asyncio.timeout(RECOVERS_S):
        while conversation not in (taken := await takes.queue.take("ai", 10)):
            for one in taken:
                takes.queue.done("ai", one)
    for one in taken:
        takes.queue.done("ai", one)


def vanish(bus: RedisBus) -> None:
    """As if its process were killed: nothing is given back, nobody hears a goodbye."""
    bus.fanout.outgoing.close()
    for queue in bus.queue._roles.values():
        for task in queue._tasks:
            task.cancel()
    bus.queue._roles.clear()
    for task in (bus.presence._beating, *bus.fanout._tasks):
        assert task is not None
        task.cancel()
