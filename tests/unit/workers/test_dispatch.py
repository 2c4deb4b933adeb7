"""From a hint to a worker's call: one at a time per conversation, bounded, and found again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from gateway_house import until

from qingniao.bus.memory import MemoryWorkQueue
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.workers.dispatch import Dispatcher, Sweeper


class Work:
    """A handler under the test's control."""

    def __init__(self) -> None:
        self.queue = MemoryWorkQueue()
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.faults: dict[int, Exception] = {}
        self.owes_more: set[int] = set()
        self.at_once = self.most = 0

    async def handle(self, conversation: int) -> bool:
        self.begun.append(conversation)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if conversation in self.gates:
                await self.gates[conversation].wait()
            if conversation in self.faults:
                raise self.faults.pop(conversation)
        finally:
            self.at_once -= 1
        self.ended.append(conversation)
        if conversation in self.owes_more:
            self.owes_more.remove(conversation)
            return True
        return False

    def hold(self, conversation: int) -> asyncio.Event:
        gate = self.gates[conversation] = asyncio.Event()
        return gate

    def put(self, *conversations: int) -> None:
        for conversation in conversations:
            self.queue.put(Role.AI, conversation)


@asynccontextmanager
async def running(work: Work, parallel: int = 4) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(Role.AI, work.queue, work.handle, parallel)
    task = asyncio.create_task(dispatcher.run())
    yield dispatcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_conversations_are_handled_in_turn() -> None:
    work = Work()
    async with running(work, parallel=1):
        work.put(3, 1, 2)
        await until(lambda: len(work.ended) == 3)
    assert work.ended == [3, 1, 2]


async def test_drain_takes_nothing_more_and_waits_for_what_is_under_way() -> None:
    work = Work()
    gate = work.hold(1)
    async with running(work) as dispatcher:
        work.put(1)
        await until(lambda: work.begun == [1])
        draining = asyncio.create_task(dispatcher.drain(5))
        await asyncio.sleep(0)
        work.put(2)
        gate.set()
        await draining
        assert work.ended == [1]
        assert work.queue.depth(Role.AI) == 1, "the next worker's"


async def test_drain_gives_up_at_its_deadline_and_the_owner_ends_what_is_late() -> None:
    work = Work()
    work.hold(1)
    async with running(work) as dispatcher:
        work.put(1)
        await until(lambda: work.begun == [1])
        await dispatcher.drain(0.01)
        assert work.at_once == 1
    assert work.at_once == 0 and work.ended == []


async def test_idle_dispatcher_is_drained_and_cancelled_in_one_turn_of_the_loop() -> None:
    dispatcher = Dispatcher(Role.AI, MemoryWorkQueue(), Work().handle, 4)
    task = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(0)
    await dispatcher.drain(1)
    task.cancel()
    _, late = await asyncio.wait([task], timeout=5)
    assert not late and task.cancelled()


async def test_many_are_handled_at_once_but_not_more_than_allowed() -> None:
    work = Work()
    gates = [work.hold(number) for number in range(1, 8)]
    async with running(work, parallel=3):
        work.put(*range(1, 8))
        await until(lambda: work.at_once == 3)
        for gate in gates:
            gate.set()
        await until(lambda: len(work.ended) == 7)
    assert work.most == 3


async def test_one_conversation_is_handled_by_one_call_at_a_time_and_then_again() -> None:
    work = Work()
    gate = work.hold(1)
    async with running(work):
        work.put(1)
        await until(lambda: work.begun == [1])
        for _ in range(3):
            work.put(1)  # news while it is being handled
            await asyncio.sleep(0)
        work.put(2)
        await until(lambda: work.ended == [2])
        assert work.begun.count(1) == 1
        gate.set()
        await until(lambda: work.ended.count(1) == 2)
    assert work.begun.count(1) == 2


async def test_conversation_that_owes_more_comes_again() -> None:
    work = Work()
    work.owes_more = {1}
    async with running(work):
        work.put(1)
        await until(lambda: work.ended == [1, 1])


@pytest.mark.parametrize("fault", [StorageError(), ZeroDivisionError("a bug")], ids=repr)
async def test_failing_call_does_not_stop_the_role(fault: Exception) -> None:
    work = Work()
    work.faults = {1: fault}
    async with running(work, parallel=1) as dispatcher:
        work.put(1, 2)
        await until(lambda: work.ended == [2])
        assert (dispatcher.failed, dispatcher.handled) == (1, 1)
        work.put(1)
        await until(lambda: work.ended == [2, 1])
        readings = {name: value for _, name, _, value in dispatcher.readings()}
        assert readings == {"work_ai_busy": 0, "work_ai_handled": 2, "work_ai_failed": 1}


async def test_stopping_cancels_what_is_under_way() -> None:
    work = Work()
    work.hold(1)
    async with running(work):
        work.put(1)
        await until(lambda: work.begun == [1])
    assert work.at_once == 0
    assert work.ended == []


class Marks:
    """The part of the log a sweeper reads."""

    def __init__(self, marks: dict[Role, list[int]]) -> None:
        self.marks = marks
        self.faults: list[StorageError] = []

    async def marked(self, role: Role, after: int = 0, limit: int = 500) -> list[int]:
        if self.faults:
            raise self.faults.pop()
        return [c for c in self.marks.get(role, []) if c > after][:limit]


async def test_what_is_marked_is_issued_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingniao.workers.dispatch._SWEEP_S", 0.01)
    queue, marks = MemoryWorkQueue(), Marks({Role.AI: [1, 2], Role.INDEX: [3]})
    sweeper = Sweeper(marks, queue, [Role.AI, Role.INDEX])  # type: ignore[arg-type]
    task = asyncio.create_task(sweeper.run())
    await until(lambda: queue.depth(Role.AI) == 2 and queue.depth(Role.INDEX) == 1)
    assert set(await queue.take(Role.AI, 5)) == {1, 2}
    marks.marks[Role.AI] = [2]
    await until(lambda: queue.depth(Role.AI) >= 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_log_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingniao.workers.dispatch._SWEEP_S", 0.01)
    queue, marks = MemoryWorkQueue(), Marks({Role.AI: [1]})
    marks.faults = [StorageError()]
    task = asyncio.create_task(Sweeper(marks, queue, [Role.AI]).run())  # type: ignore[arg-type]
    await until(lambda: queue.depth(Role.AI) == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_marks_that_never_go_do_not_keep_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qingniao.workers.dispatch._SWEEP_S", 0.001)
    monkeypatch.setattr("qingniao.workers.dispatch._STEP", 10)
    queue, marks = MemoryWorkQueue(), Marks({Role.AI: list(range(1, 96))})
    task = asyncio.create_task(Sweeper(marks, queue, [Role.AI]).run())  # type: ignore[arg-type]
    seen: set[int] = set()
    async with asyncio.timeout(5):
        while len(seen) < 95:
            seen.update(await queue.take(Role.AI))
            assert queue.depth(Role.AI) <= 20
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
