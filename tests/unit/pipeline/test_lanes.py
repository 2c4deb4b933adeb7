"""Two lines into one batch: bounded, in order, and nobody is kept out for ever."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.chat.intake import Message, Move
from qingniao.chat.lifecycle import Event
from qingniao.config import PipelineConfig, WireConfig, load_config
from qingniao.errors import ConfigError
from qingniao.pipeline.lanes import Lanes
from qingniao.protocol.frames import EntryType


def lanes(**config: Any) -> Lanes:
    return Lanes(PipelineConfig(**config))


def visitor(n: int, size: int = 100) -> Any:
    return Message(7, "v", "d", n, EntryType.TEXT, "", visitor="v7"), None, size


def agent(n: int, size: int = 100) -> Any:
    return Message(7, "a3", "d", n, EntryType.TEXT, "", agent=3, name="周宁"), None, size


def numbers(taken: list[Any]) -> list[tuple[str, int]]:
    return [(intent.sender, intent.n) for intent, _, _ in taken]


def test_agents_are_taken_while_visitors_are_refused() -> None:
    waiting = lanes(waiting=3)
    assert [waiting.put(visitor(n)) for n in range(1, 6)] == [True] * 3 + [False] * 2
    assert waiting.put(agent(1))
    assert waiting.put((Move(7, Event.CLOSE, ""), None, 512)), "workers go with the agents"
    assert len(waiting) == 5


def test_agents_go_first_and_leave_visitors_a_quarter() -> None:
    waiting = lanes()
    for n in range(1, 21):
        assert waiting.put(visitor(n)) and waiting.put(agent(n))
    taken = numbers(waiting.take(8))
    assert taken == [("a3", n) for n in range(1, 7)] + [("v", 1), ("v", 2)]


def test_a_batch_of_two_serves_both_lines() -> None:
    waiting = lanes()
    for n in range(1, 4):
        assert waiting.put(visitor(n)) and waiting.put(agent(n))
    assert numbers(waiting.take(2)) == [("a3", 1), ("v", 1)]


def test_line_is_bounded_in_bytes_but_takes_any_one_message() -> None:
    waiting = lanes(waiting_bytes=250)
    assert waiting.put(visitor(1, 1_000))
    assert not waiting.put(visitor(2, 1))
    waiting.take(2)
    assert [waiting.put(visitor(n)) for n in range(3, 6)] == [True, True, False]
    assert waiting.size == 200


def test_batch_is_bounded_in_bytes() -> None:
    waiting = lanes(batch_bytes=1_000)
    for n in range(1, 21):
        waiting.put(visitor(n))
        waiting.put(agent(n))
    taken = waiting.take(100)
    assert sum(size for *_, size in taken) == 1_000
    assert {sender for sender, _ in numbers(taken)} == {"v", "a3"}


def test_batch_bytes_leave_room_for_the_largest_frame() -> None:
    frame = WireConfig().frame_bytes
    with pytest.raises(ConfigError, match="batch_bytes"):
        load_config({"QINGNIAO_PIPELINE_BATCH_BYTES": str(4 * frame - 1)})
    with pytest.raises(ConfigError, match="at least 2"):
        load_config({"QINGNIAO_PIPELINE_BATCH": "1"})


def test_what_is_put_back_goes_first() -> None:
    waiting = lanes(waiting=3)
    for n in range(1, 4):
        waiting.put(visitor(n))
        waiting.put(agent(n))
    taken = waiting.take(4)
    waiting.put(agent(9))
    waiting.put_back(taken)
    again = numbers(waiting.take(100))
    assert [n for sender, n in again if sender == "a3"] == [1, 2, 3, 9]
    assert [n for sender, n in again if sender == "v"] == [1, 2, 3]
    assert len(waiting) == waiting.size == 0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 260)), max_size=60),
    st.integers(2, 9),
)
def test_everything_that_was_taken_comes_out_once_in_order(
    offered: list[tuple[bool, int]], most: int
) -> None:
    waiting = lanes(waiting=20, waiting_staff=20, waiting_bytes=4_000, batch_bytes=1_040)
    took: dict[str, list[int]] = {"v": [], "a3": []}
    for n, (is_agent, size) in enumerate(offered, 1):
        item = agent(n, size) if is_agent else visitor(n, size)
        if waiting.put(item):
            took[item[0].sender].append(n)
    came: dict[str, list[int]] = {"v": [], "a3": []}
    while len(waiting):
        batch = waiting.take(most)
        assert 1 <= len(batch) <= most
        assert sum(size for *_, size in batch) <= 1_040
        for sender, n in numbers(batch):
            came[sender].append(n)
    assert came == took and waiting.size == 0
