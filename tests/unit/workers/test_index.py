"""The agents' list and the hourly sums: everything counted once, nothing lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from gateway_house import until

from qingniao.bus.memory import MemoryWorkQueue
from qingniao.chat.intake import Message, Move, Outcome
from qingniao.chat.lifecycle import Event, Why
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.protocol.frames import EntryType
from qingniao.storage.conversations import Counted
from qingniao.storage.messages_rocksdb import RocksMessageLog
from qingniao.storage.rows import IndexRow
from qingniao.workers.index import IndexWorker

HOUR = 3_600_000
NOW = 498_750 * HOUR


class Rows:
    """The list in memory; rows and sums change together or not at all."""

    def __init__(self) -> None:
        self.rows: dict[int, IndexRow] = {}
        self.sums: Counter[tuple[int, str, str]] = Counter()
        self.faults = 0
        self.writes = 0

    async def lasts(self, ids: Sequence[int]) -> dict[int, int]:
        return {id: self.rows[id].last for id in ids if id in self.rows}

    async def project(self, rows: Sequence[IndexRow], counted: Sequence[Counted] = ()) -> list[int]:
        await asyncio.sleep(0)
        if self.faults:
            self.faults -= 1
            raise StorageError("The database is locked.")
        self.writes += 1
        self.rows |= {row.id: row for row in rows}
        for one in (amount for each in counted for amount in each.amounts):
            self.sums[one.hour, one.metric, one.label] += int(one.value)
        return []

    def total(self, metric: str) -> int:
        return sum(value for (_, name, _), value in self.sums.items() if name == metric)


def text(n: int, conversation: int = 7, body: str = "在吗") -> Message:
    owner = f"visitor-{conversation}"
    return Message(conversation, "v", "d", n, EntryType.TEXT, body, visitor=owner)


class Analytics:
    def __init__(self, folder: Path) -> None:
        self.log = RocksMessageLog(folder)
        self.queue = MemoryWorkQueue()
        self.rows = Rows()
        self.worker = IndexWorker(self.log, self.queue, self.rows)


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    analytics = Analytics(tmp_path / "log")
    yield analytics
    await analytics.log.close()


async def test_row_says_where_the_conversation_stands(analytics: Analytics) -> None:
    await analytics.log.commit([text(1, body="退货")], NOW)
    await analytics.log.commit([Move(7, Event.HANDOFF, Why.ANGRY)], NOW + 5)
    await analytics.worker.project([7])
    row = analytics.rows.rows[7]
    assert (row.visitor, row.status, row.last, row.preview) == ("visitor-7", "waiting", 2, "退货")
    assert (row.why, row.since, row.time, row.sender) == ("angry", NOW + 5, NOW, "v")
    assert await analytics.log.marked(Role.INDEX) == []


async def test_everything_is_counted_once_in_its_own_hour(analytics: Analytics) -> None:
    await analytics.log.commit([text(1), text(2)], NOW)
    await analytics.worker.project([7])
    await analytics.worker.project([7])
    rating = Message(7, "v", "d", 3, EntryType.RATING, {"score": 5}, visitor="visitor-7")
    answer = Outcome(7, 1, 2, ((EntryType.ANSWER, {"text": "在"}),))
    await analytics.log.commit([answer, rating, Move(7, Event.HANDOFF, Why.RULE)], NOW + HOUR)
    liked = Message(7, "v", "d", 4, EntryType.RATING, {"score": 5, "of": 3}, visitor="visitor-7")
    await analytics.log.commit([liked], NOW + HOUR)
    await analytics.worker.project([7])
    hour = NOW // HOUR
    assert analytics.rows.sums == {
        (hour, "conversations", ""): 1,
        (hour, "messages", "v"): 2,
        (hour + 1, "messages", "b"): 1,
        (hour + 1, "ratings", "5"): 1,
        (hour + 1, "answer_ratings", "5"): 1,
        (hour + 1, "became_waiting", "rule"): 1,
    }


async def test_failed_write_counts_nothing_and_is_made_good(analytics: Analytics) -> None:
    await analytics.log.commit([text(1)], NOW)
    analytics.rows.faults = 1
    with pytest.raises(StorageError):
        await analytics.worker.project([7])
    assert analytics.rows.sums == {}
    assert await analytics.log.marked(Role.INDEX) == [7], "the sweeper brings it again"
    await analytics.worker.project([7])
    assert analytics.rows.total("messages") == 1


async def test_long_backlog_is_counted_whole(analytics: Analytics) -> None:
    for start in range(1, 1_300, 100):
        await analytics.log.commit([text(n) for n in range(start, start + 100)], NOW)
    await analytics.worker.project([7])
    assert analytics.rows.total("messages") == 1_300


async def test_counting_beside_commits_in_flight_loses_nothing(analytics: Analytics) -> None:
    async def write() -> None:
        for n in range(1, 151):
            await analytics.log.commit([text(n)], NOW)

    async def count() -> None:
        while not writing.done():
            await analytics.worker.project([7])

    writing = asyncio.create_task(write())
    await asyncio.gather(writing, count())
    await analytics.worker.project([7])
    assert analytics.rows.total("messages") == 150
    assert analytics.rows.rows[7].last == 150


async def test_unknown_conversation_is_skipped(analytics: Analytics) -> None:
    await analytics.worker.project([404])
    assert analytics.rows.rows == {}


async def test_worker_gathers_changes_into_few_writes(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.workers.index._RETRY_S", 0.01)
    task = asyncio.create_task(analytics.worker.run())
    await analytics.log.commit([text(1, number) for number in range(1, 41)], NOW)
    for number in range(1, 41):
        analytics.queue.put(Role.INDEX, number)
    await until(lambda: len(analytics.rows.rows) == 40)
    assert analytics.rows.writes <= 3
    analytics.rows.faults = 1
    await analytics.log.commit([text(2, 5)], NOW)
    analytics.queue.put(Role.INDEX, 5)
    await until(lambda: analytics.rows.faults == 0)
    analytics.queue.put(Role.INDEX, 5)
    await until(lambda: analytics.rows.rows[5].last == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
