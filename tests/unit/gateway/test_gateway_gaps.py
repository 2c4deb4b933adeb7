"""The bus is away or loses things: what is missing comes from the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from gateway_house import GatewayHouse, LosingFanout, until

from qingniao.bus.base import Gap, News, Touched
from qingniao.chat.intake import Message
from qingniao.errors import StorageError
from qingniao.protocol.frames import Entry, EntryType, Follow, Send, State

pytestmark = pytest.mark.usefixtures("looks_often")


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingniao.gateway.gaps._LOOK_S", 0.05)


class CutFanout(LosingFanout):
    """Loses everything while it is cut, and knows it; writes down who is followed."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    def cut(self) -> None:
        self.is_whole = False
        self.loses = lambda _: True

    def mend(self, *conversations: int) -> None:
        self.is_whole = True
        self.loses = lambda _: False
        self.publish(Gap(conversations))

    async def follow(self, conversation: int) -> None:
        self.followed.add(conversation)
        await self.gate.wait()

    def unfollow(self, conversation: int) -> None:
        self.followed.remove(conversation)


@pytest.fixture
async def cut_house(tmp_path: Path) -> AsyncIterator[GatewayHouse]:
    async with AsyncExitStack() as stack:
        house = GatewayHouse(tmp_path / "log", fanout=CutFanout())
        await house.open()
        stack.push_async_callback(house.close)
        yield house


def message(conversation: int, n: int, words: str = "在吗") -> Message:
    return Message(
        conversation, "v", "elsewhere", n, EntryType.TEXT, words, visitor=f"visitor-{conversation}"
    )


def entry(seq: int) -> Callable[[Any], bool]:
    return lambda frame: frame.seq == seq


async def test_what_is_said_while_the_bus_is_away_comes_all_the_same(
    cut_house: GatewayHouse,
) -> None:
    agent = await cut_house.greet("a:3", cursors=[(7, 0), (8, 0)])
    await cut_house.pipeline.submit(message(7, 1))
    await agent.say(Follow(7, 0))
    assert await agent.next(Entry, entry(1))
    cut_house.fanout.cut()  # type: ignore[attr-defined]
    for n in range(2, 5):
        await cut_house.pipeline.submit(message(7, n))
    assert [(await agent.next(Entry)).seq for _ in range(3)] == [2, 3, 4]
    await cut_house.pipeline.submit(message(7, 5))
    assert (await agent.next(Entry)).seq == 5
    cut_house.fanout.mend()  # type: ignore[attr-defined]
    await cut_house.pipeline.submit(message(7, 6))
    assert (await agent.next(Entry)).seq == 6


async def test_a_whole_bus_never_asks_the_log(cut_house: GatewayHouse) -> None:
    visitor = await cut_house.greet("v:7")
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    await asyncio.sleep(0.3)
    assert cut_house.hub.gaps.looked == 0


async def test_the_last_of_what_was_lost_is_found_after_the_gap(cut_house: GatewayHouse) -> None:
    visitor = await cut_house.greet("v:7")
    fanout: Any = cut_house.fanout
    fanout.loses = lambda item: type(item) is News
    await cut_house.pipeline.submit(message(7, 1))
    fanout.mend(7, 99)
    assert (await visitor.next(Entry)).seq == 1
    assert cut_house.hub.gaps.looked == 1


async def test_after_a_gap_lists_are_read_anew(cut_house: GatewayHouse) -> None:
    agent = await cut_house.greet("a:3", cursors=[(0, 0)])
    fanout: Any = cut_house.fanout
    fanout.mend(7)
    fanout.mend()
    assert await agent.next(State, lambda state: state.fields.get("reload"))


async def test_what_other_processes_say_of_lists_is_told(cut_house: GatewayHouse) -> None:
    await cut_house.pipeline.submit(message(7, 1))
    agent = await cut_house.greet("a:3", cursors=[(0, 0)])
    cut_house.fanout.publish(Touched((7, 8)))
    told = await agent.next(State, lambda state: state.conversation == 7)
    assert told.fields["preview"] == "在吗"


async def test_it_is_followed_before_the_log_is_read(cut_house: GatewayHouse) -> None:
    fanout: Any = cut_house.fanout
    fanout.gate.clear()
    visitor = await cut_house.greet("v:7")
    await until(lambda: 7 in fanout.followed)
    fanout.loses = lambda _: True  # not in force yet: nothing is delivered
    await cut_house.pipeline.submit(message(7, 1))
    fanout.gate.set()
    assert (await visitor.next(Entry)).seq == 1


async def test_the_last_to_leave_unfollows(cut_house: GatewayHouse) -> None:
    fanout: Any = cut_house.fanout
    await cut_house.pipeline.submit(message(7, 1))
    visitor = await cut_house.greet("v:7")
    agent = await cut_house.greet("a:3", cursors=[(7, 0), (0, 0)])
    await until(lambda: fanout.followed == {0, 7})
    await visitor.close()
    await until(lambda: len(cut_house.hub.connections) == 1)
    assert 7 in fanout.followed
    await agent.close()
    await until(lambda: not fanout.followed)


async def test_a_repair_that_cannot_read_the_log_is_done_when_it_can(
    cut_house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await cut_house.greet("v:7")
    fanout: Any = cut_house.fanout
    fanout.loses = lambda item: type(item) is News
    await cut_house.pipeline.submit(message(7, 1))
    fanout.loses = lambda _: False
    log: Any = cut_house.hub.services.log
    read, failures = log.read, 0

    async def read_or_fail(*args: Any) -> Any:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise StorageError("the database is away")
        return await read(*args)

    monkeypatch.setattr(log, "read", read_or_fail)
    await cut_house.pipeline.submit(message(7, 2))
    assert [(await visitor.next(Entry)).seq for _ in range(2)] == [1, 2]
    assert failures == 2
    await cut_house.pipeline.submit(message(7, 3))
    assert (await visitor.next(Entry)).seq == 3
