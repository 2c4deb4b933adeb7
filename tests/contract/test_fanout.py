"""`bus.base.Fanout`: to whoever wants it, in order, never waiting for one."""

import asyncio
from typing import Any

from bus_processes import Join
from gateway_house import until

from qingniao.bus.base import (
    Attendance,
    Gap,
    Moved,
    News,
    Released,
    Returned,
    SignOut,
    Told,
    Touched,
    Whisper,
)

DESK = [
    SignOut("s"), Attendance(3, True, "李"), Returned(7), Moved(7), Released("flow", "v2"),
]  # fmt: skip


def news(seq: int, conversation: int = 7) -> News:
    return News(conversation, (Told(seq, 1, b"%d" % seq, "v/d"),), seq % 2 == 0)


async def test_who_follows_gets_everything_in_order_also_in_another_process(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[list[Any]] = [[], []]
    for one in heard:
        hears.fanout.subscribe(one.append)
    await hears.fanout.follow(7)
    items = [news(1), Whisper(7, b"w", "agents", False, "v/d", True), news(2), news(3)]
    for item in items:
        speaks.fanout.publish(item)
    await until(lambda: len(heard[0]) >= 4)
    assert heard == [items, items]


async def test_a_process_hears_itself_at_once_and_once(join: Join) -> None:
    process = await join()
    heard: list[Any] = []
    process.fanout.subscribe(heard.append)
    await process.fanout.follow(7)
    process.fanout.publish(news(1))
    assert heard == [news(1)]
    process.fanout.publish(SignOut("s"))
    await asyncio.sleep(0.05)
    assert heard == [news(1), SignOut("s")]


async def test_the_desk_comes_to_everybody(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    hears.fanout.subscribe(heard.append)
    for item in DESK:
        speaks.fanout.publish(item)
    await until(lambda: len(heard) >= len(DESK))
    assert heard == DESK


async def test_news_are_had_from_when_follow_returns(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    hears.fanout.subscribe(heard.append)
    for conversation in range(1, 200):
        await hears.fanout.follow(conversation)
        speaks.fanout.publish(news(1, conversation))
    await until(lambda: len(heard) >= 199)
    assert sorted(item.conversation for item in heard) == list(range(1, 200))


async def test_many_are_followed_at_once(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    hears.fanout.subscribe(heard.append)
    await asyncio.gather(*(hears.fanout.follow(c) for c in range(1, 2_001)))
    await asyncio.gather(*(hears.fanout.follow(c) for c in range(1, 2_001)))
    for conversation in range(1, 2_001):
        speaks.fanout.publish(news(1, conversation))
    await until(lambda: len(heard) >= 2_000)
    assert len(heard) == 2_000


async def test_followed_anew_is_followed(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    hears.fanout.subscribe(heard.append)
    for seq in range(1, 30):
        await hears.fanout.follow(7)
        speaks.fanout.publish(news(seq))
        await until(lambda seq=seq: len(heard) >= seq)  # type: ignore[misc]
        hears.fanout.unfollow(7)
    hears.fanout.unfollow(7)
    assert heard == [news(seq) for seq in range(1, 30)]


async def test_lists_hear_of_every_conversation_that_changes(join: Join) -> None:
    speaks, hears = await join(), await join()
    touched: set[int] = set()

    def hear(item: Any) -> None:
        if isinstance(item, Touched):
            touched.update(item.conversations)
        elif isinstance(item, News) or (isinstance(item, Whisper) and item.lists):
            touched.add(item.conversation)

    hears.fanout.subscribe(hear)
    await hears.fanout.follow(0)
    speaks.fanout.publish(news(1, 5))
    speaks.fanout.publish(Whisper(6, b"w", lists=True))
    speaks.fanout.publish(Whisper(8, b"w"))
    await until(lambda: {5, 6} <= touched)
    assert 8 not in touched


async def test_subscriber_hears_nothing_from_before_and_nothing_after(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    await hears.fanout.follow(7)
    speaks.fanout.publish(news(1))
    await asyncio.sleep(0.1)
    stop = hears.fanout.subscribe(heard.append)
    speaks.fanout.publish(news(2))
    await until(lambda: heard)
    stop()
    speaks.fanout.publish(news(3))
    await asyncio.sleep(0.1)
    assert heard == [news(2)]


async def test_nobody_listening_is_fine(join: Join) -> None:
    process = await join()
    process.fanout.publish(news(1))
    assert process.fanout.is_whole


async def test_subscriber_may_stop_while_it_is_told(join: Join) -> None:
    process = await join()
    heard: list[Any] = []

    def once(item: Any) -> None:
        heard.append(item)
        stop()

    stop = process.fanout.subscribe(once)
    process.fanout.subscribe(heard.append)
    process.fanout.publish(news(1))
    process.fanout.publish(news(2))
    assert heard == [news(1), news(1), news(2)]


async def test_what_is_published_while_telling_comes_after(join: Join) -> None:
    process = await join()
    heard: list[Any] = []

    def answers(item: Any) -> None:
        heard.append(item)
        if item == news(1):
            process.fanout.publish(news(2))

    process.fanout.subscribe(answers)
    process.fanout.publish(news(1))
    assert heard == [news(1), news(2)]


async def test_all_is_well_says_no_gap(join: Join) -> None:
    speaks, hears = await join(), await join()
    heard: list[Any] = []
    hears.fanout.subscribe(heard.append)
    for conversation in range(1, 50):
        await hears.fanout.follow(conversation)
        speaks.fanout.publish(news(1, conversation))
        hears.fanout.unfollow(conversation)
    await asyncio.sleep(0.2)
    assert speaks.fanout.is_whole
    assert hears.fanout.is_whole
    assert not [item for item in heard if isinstance(item, Gap)]
