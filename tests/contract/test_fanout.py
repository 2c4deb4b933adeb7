"""`bus.base.Fanout`: to every subscriber, in order, never waiting for one."""

from collections.abc import Callable
from typing import Any

import pytest

from qingniao.bus.base import Fanout, News, SignOut, Told, Whisper
from qingniao.bus.memory import MemoryFanout

ENGINES: dict[str, Callable[[], Fanout]] = {"memory": MemoryFanout}


@pytest.fixture(params=ENGINES)
def fanout(request: pytest.FixtureRequest) -> Fanout:
    return ENGINES[request.param]()


def news(seq: int) -> News:
    return News(7, (Told(seq, 1, b"%d" % seq),))


def test_every_subscriber_gets_everything_in_order(fanout: Fanout) -> None:
    heard: list[list[Any]] = [[], []]
    for one in heard:
        fanout.subscribe(one.append)
    items = [news(1), Whisper(7, b"w"), news(2), SignOut("s"), news(3)]
    for item in items:
        fanout.publish(item)
    assert heard == [items, items]


def test_subscriber_hears_nothing_from_before_and_nothing_after(fanout: Fanout) -> None:
    heard: list[Any] = []
    fanout.publish(news(1))
    stop = fanout.subscribe(heard.append)
    fanout.publish(news(2))
    stop()
    fanout.publish(news(3))
    assert heard == [news(2)]


def test_nobody_listening_is_fine(fanout: Fanout) -> None:
    fanout.publish(news(1))


def test_subscriber_may_stop_while_it_is_told(fanout: Fanout) -> None:
    heard: list[Any] = []

    def once(item: Any) -> None:
        heard.append(item)
        stop()

    stop = fanout.subscribe(once)
    fanout.subscribe(heard.append)
    fanout.publish(news(1))
    fanout.publish(news(2))
    assert heard == [news(1), news(1), news(2)]


def test_what_is_published_while_telling_comes_after(fanout: Fanout) -> None:
    heard: list[Any] = []

    def answers(item: Any) -> None:
        heard.append(item)
        if item == news(1):
            fanout.publish(news(2))

    fanout.subscribe(answers)
    fanout.publish(news(1))
    assert heard == [news(1), news(2)]
