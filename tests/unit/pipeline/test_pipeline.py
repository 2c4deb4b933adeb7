"""The one way in: nothing is told before it is stored, nothing overtakes, nothing grows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from gateway_house import until

from qingniao.bus.base import Moved, News
from qingniao.bus.memory import MemoryFanout, MemoryWorkQueue
from qingniao.chat.head import Head, fold
from qingniao.chat.intake import Decision, Intent, Message, Move, decide
from qingniao.chat.lifecycle import Event, Why
from qingniao.chat.ports import Role
from qingniao.config import PipelineConfig
from qingniao.errors import Busy, StorageError
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import EntryType


class ScriptedLog:
    """Decides and folds like the real one; a commit waits for `gate` and may fail."""

    def __init__(self) -> None:
        self.stored: dict[int, Head] = {}
        self.batches: list[list[Intent]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.faults: list[Exception] = []
        self.events: list[str] = []

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        self.batches.append(list(intents))
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        decisions = []
        for intent in intents:
            head = self.stored.setdefault(
                intent.conversation, Head(intent.conversation, f"visitor-{intent.conversation}")
            )
            decision = decide(head, intent, now_ms)
            for entry in decision.entries:
                fold(head, entry, decision.device, decision.n)
                decision.head = head
                decision.frames.append(MSGPACK.encode(entry))
            decisions.append(decision)
        self.events.append("stored")
        return decisions


class Intake:
    """A pipeline over the scripted log, with everything it told in `told`."""

    def __init__(self, **config: int) -> None:
        self.log = ScriptedLog()
        self.fanout = MemoryFanout()
        self.work = MemoryWorkQueue()
        self.pipeline = Pipeline(
            self.log, self.fanout, self.work, lambda: 1_000, PipelineConfig(**config)  # type: ignore[arg-type]
        )  # fmt: skip
        self.told: list[News] = []
        self.fates: list[Any] = []
        self.fanout.subscribe(self._tell)

    def _tell(self, item: Any) -> None:
        self.log.events.append("told")
        self.told.append(item)

    def _reply(self, fate: Any) -> None:
        self.log.events.append("acked")
        self.fates.append(fate)

    def offer(self, n: int, conversation: int = 7) -> bool:
        return self.pipeline.offer(text(n, conversation), self._reply)


def text(n: int, conversation: int = 7) -> Message:
    owner = f"visitor-{conversation}"
    return Message(conversation, "v", "d", n, EntryType.TEXT, f"{n}", visitor=owner)


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    async with running(Intake(waiting=10, batch=4)) as intake:
        yield intake


class running:
    """The pipeline's task, ended at the end."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __aenter__(self) -> Intake:
        self._task = asyncio.create_task(self._intake.pipeline.run())
        return self._intake

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_nothing_is_told_before_it_is_stored(intake: Intake) -> None:
    intake.log.gate.clear()
    assert intake.offer(1)
    await until(lambda: intake.log.batches)
    await asyncio.sleep(0.01)
    assert intake.log.events == []
    intake.log.gate.set()
    await until(lambda: intake.fates)
    assert intake.log.events == ["stored", "told", "acked"]


async def test_what_arrives_during_one_commit_shares_the_next(intake: Intake) -> None:
    intake.log.gate.clear()
    intake.offer(1)
    await until(lambda: intake.log.batches)
    for n in range(2, 8):
        intake.offer(n)
    intake.log.gate.set()
    await intake.pipeline.drain()
    sizes = [len(batch) for batch in intake.log.batches]
    assert sizes == [1, 4, 2], "bounded by `batch`"
    assert [fate.seq for fate in intake.fates] == list(range(1, 8))
    assert [told.seq for news in intake.told for told in news.entries] == list(range(1, 8))


async def test_full_line_refuses_and_nothing_of_it_is_taken(intake: Intake) -> None:
    intake.log.gate.clear()
    intake.offer(1)
    await until(lambda: intake.log.batches)
    taken = [intake.offer(n) for n in range(2, 20)]
    assert taken == [True] * 10 + [False] * 8
    with pytest.raises(Busy) as busy:
        await intake.pipeline.submit(text(99))
    assert 20 <= busy.value.retry_after_ms <= 41
    intake.log.gate.set()
    await until(lambda: len(intake.fates) == 11)
    assert intake.pipeline.refused == 9


async def test_failure_fails_what_waits_behind_and_later_ones_succeed(intake: Intake) -> None:
    intake.log.gate.clear()
    for n in range(1, 7):
        intake.offer(n)
    intake.log.faults = [StorageError("The disk is full.")]
    intake.log.gate.set()
    await until(lambda: len(intake.fates) == 6)
    assert all(isinstance(fate, StorageError) for fate in intake.fates)
    assert intake.told == []
    assert len(intake.log.batches) == 1, "what was behind was not tried"
    assert (await intake.pipeline.submit(text(1))).seq == 1
    assert intake.pipeline.failed == 6


async def test_bug_in_the_store_fails_the_batch_and_not_the_intake(intake: Intake) -> None:
    intake.log.faults = [ZeroDivisionError("a bug")]
    with pytest.raises(StorageError, match="unexpected"):
        await intake.pipeline.submit(text(1))
    assert (await intake.pipeline.submit(text(1))).seq == 1


async def test_listener_that_breaks_does_not_end_the_intake(intake: Intake) -> None:
    def breaks(_: Any) -> None:
        raise ZeroDivisionError("a bug")

    intake.fanout.subscribe(breaks)
    assert intake.pipeline.offer(text(1), breaks)
    await intake.pipeline.drain()
    assert intake.pipeline.committed == 1


async def test_queue_that_breaks_costs_only_the_hint(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(intake.work, "put", breaks)
        assert (await intake.pipeline.submit(text(1))).seq == 1
    assert (await intake.pipeline.submit(text(2))).seq == 2
    assert intake.work.depth(Role.AI) == 1


async def test_drain_stores_what_was_taken_and_refuses_the_rest(intake: Intake) -> None:
    intake.log.gate.clear()
    for n in range(1, 6):
        intake.offer(n)
    draining = asyncio.create_task(intake.pipeline.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    assert not intake.offer(6)
    intake.log.gate.set()
    async with asyncio.timeout(2):
        await draining
    assert [fate.seq for fate in intake.fates] == [1, 2, 3, 4, 5]


async def test_held_intake_refuses_for_a_while_and_goes_on(intake: Intake) -> None:
    await intake.pipeline.hold()
    with pytest.raises(Busy) as busy:
        await intake.pipeline.submit(text(1))
    assert busy.value.retry_after_ms >= 1_000, "nobody should ask again at once"
    intake.pipeline.go_on()
    assert (await intake.pipeline.submit(text(1))).seq == 1


async def test_idle_pipeline_drains_at_once(intake: Intake) -> None:
    async with asyncio.timeout(1):
        await intake.pipeline.drain()


async def test_what_was_taken_when_the_intake_stops_stays_in_line() -> None:
    intake = Intake()
    async with running(intake):
        intake.log.gate.clear()
        for n in range(1, 4):
            intake.offer(n)
        await until(lambda: intake.log.batches)
    assert intake.fates == []
    intake.log.gate.set()
    async with running(intake):
        await until(lambda: len(intake.fates) == 3)
    assert [fate.seq for fate in intake.fates] == [1, 2, 3]


async def test_repeats_and_refusals_are_answered_and_told_to_nobody(intake: Intake) -> None:
    for n in (1, 1, 5):
        intake.offer(n)
    await intake.pipeline.drain()
    assert [(fate.repeat, fate.code > 0) for fate in intake.fates] == [
        (False, False), (True, False), (False, True),
    ]  # fmt: skip
    assert len(intake.told) == 1


async def test_news_carries_what_a_gateway_needs(intake: Intake) -> None:
    await intake.pipeline.submit(text(1))
    await intake.pipeline.submit(Move(7, Event.HANDOFF, Why.RULE))
    first, second, third = intake.told
    assert (first.conversation, first.moved) == (7, False)
    (told,) = first.entries
    assert (told.seq, told.type, told.device) == (1, EntryType.TEXT, "v/d")
    assert second.moved
    assert second.entries[0].device == ""
    assert third == Moved(7)


async def test_workers_are_hinted_at_what_is_owed(intake: Intake) -> None:
    await intake.pipeline.submit(text(1))
    assert (intake.work.depth(Role.AI), intake.work.depth(Role.ASSIGNMENT)) == (1, 0)
    await intake.pipeline.submit(Move(7, Event.HANDOFF, Why.RULE))
    assert intake.work.depth(Role.ASSIGNMENT) == 1
    assert intake.work.depth(Role.INDEX) == 1


async def test_caller_that_gave_up_does_not_disturb_the_others(intake: Intake) -> None:
    intake.log.gate.clear()
    giving_up = asyncio.create_task(intake.pipeline.submit(text(1)))
    await until(lambda: intake.log.batches)
    giving_up.cancel()
    await asyncio.gather(giving_up, return_exceptions=True)
    intake.log.gate.set()
    assert (await intake.pipeline.submit(text(2))).seq == 2


async def test_readings_add_up(intake: Intake) -> None:
    await intake.pipeline.submit(text(1))
    readings = {name: value for _, name, _, value in intake.pipeline.readings()}
    assert readings["pipeline_committed"] == 1
    assert readings["pipeline_waiting"] == 0
