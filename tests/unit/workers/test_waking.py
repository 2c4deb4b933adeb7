"""From a time in the table to a hint, over a real table."""

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from qingniao.bus.memory import MemoryWorkQueue
from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.storage.database import Database
from qingniao.storage.timers import FlowTimers
from qingniao.workers.waking import AGAIN_MS, Waker


class Heads:
    def __init__(self) -> None:
        self.known: dict[int, Head] = {}

    def waits(self, conversation: int, due_ms: int, **changes: Any) -> None:
        head = Head(conversation, "v", flow={"node": "wait", "due_ms": due_ms})
        for name, value in changes.items():
            setattr(head, name, value)
        self.known[conversation] = head

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        return {c: self.known[c] for c in conversations if c in self.known}


class Here:
    def __init__(self, database: Database) -> None:
        self.table = FlowTimers(database)
        self.heads = Heads()
        self.queue = MemoryWorkQueue()
        self.now_ms = 1_000
        self.waker = Waker(self.table, self.heads, self.queue, lambda: self.now_ms)

    async def hinted(self) -> list[int]:
        await self.waker.look()
        if not self.queue.depth(Role.AI):
            return []
        taken = await self.queue.take(Role.AI, 99)
        for conversation in taken:
            self.queue.done(Role.AI, conversation)
        return sorted(taken)

    async def rows(self) -> list[tuple[int, int]]:
        return await self.table.due(2**50, 99)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    database = await Database.open(tmp_path / "qingniao.db")
    yield Here(database)
    await database.close()


async def test_a_time_that_is_up_is_hinted_at_until_it_is_dealt_with(here: Here) -> None:
    here.heads.waits(7, 2_000)
    await here.waker.set(7, 2_000)
    assert await here.hinted() == []
    here.now_ms = 2_000
    assert await here.hinted() == [7]
    assert await here.hinted() == [], "not every second"
    here.now_ms += AGAIN_MS
    assert await here.hinted() == [7], "the hint came to nothing: again"
    here.heads.known[7].flow = {}
    here.now_ms += AGAIN_MS
    assert await here.hinted() == []
    assert await here.rows() == []


async def test_a_later_time_takes_the_place_of_an_earlier(here: Here) -> None:
    await here.waker.set(7, 2_000)
    await here.waker.set(7, 9_000)
    assert await here.rows() == [(7, 9_000)]
    here.heads.waits(8, 50_000)
    await here.waker.set(8, 500)
    await here.hinted()
    assert (8, 50_000) in await here.rows(), "what the log says counts"


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"status": Status.OPEN}, 0),
        ({"status": Status.CLOSED}, 0),
        ({"asked": 9, "answered": 3}, 1),
    ],
)
async def test_who_does_not_wait_any_more_is_forgotten(
    here: Here, changes: dict[str, Any], left: int
) -> None:
    here.heads.waits(7, 500, **changes)
    await here.waker.set(7, 500)
    hinted = await here.hinted()
    assert len(await here.rows()) == left
    assert hinted == [7] * left


async def test_who_was_never_heard_of_is_forgotten(here: Here) -> None:
    await here.waker.set(7, 500)
    assert await here.hinted() == []
    assert await here.rows() == []


async def test_a_time_that_could_not_be_written_is_written_later(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(conversation: int, due_ms: int) -> None:
        raise StorageError("away")

    with monkeypatch.context() as patched:
        patched.setattr(here.table, "set", away)
        await here.waker.set(7, 500)
    here.heads.waits(7, 500)
    assert await here.hinted() == [7]


async def test_a_row_that_changed_meanwhile_is_kept(here: Here) -> None:
    await here.table.set(7, 500)
    await here.table.set(7, 900)
    await here.table.drop([(7, 500)])
    assert await here.rows() == [(7, 900)]
    await here.table.put_off([7], 800, 5_000)
    assert await here.rows() == [(7, 900)], "it was not due"
    await here.table.drop([])
    await here.table.put_off([], 0, 0)


async def test_many_are_taken_in_steps(here: Here) -> None:
    seen: list[Sequence[tuple[int, int]]] = []
    for conversation in range(1, 6):
        await here.table.set(conversation, conversation)
    first = await here.table.due(1_000, 3)
    seen.append(first)
    assert [c for c, _ in first] == [1, 2, 3]
