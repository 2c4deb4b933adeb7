"""The message log's promises: order, once, on disk, and a head that is never ahead of the disk."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rocksdict import WriteBatch

from qingniao.chat.head import DEVICES_KEPT, Head, fold
from qingniao.chat.intake import Decision, Message, Move, Outcome, Rename
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.chat.ports import Role
from qingniao.errors import StartError, StorageError
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import EntryType
from qingniao.storage import message_engine, message_heads
from qingniao.storage.message_keys import entry_of, head_key, origin_of
from qingniao.storage.messages_rocksdb import RocksMessageLog

NOW = 1_795_500_000_000
Copy = Callable[[Path, Path], None]


def text(n: int, body: str = "在吗", *, conversation: int = 7, device: str = "d1") -> Message:
    return Message(
        conversation, "v", device, n, EntryType.TEXT, body, visitor=f"visitor-{conversation}"
    )


def action(n: int, do: str, *, agent: int = 0, conversation: int = 7) -> Message:
    sender, device = (f"a{agent}", "d3") if agent else ("v", "d1")
    return Message(
        conversation, sender, device, n, EntryType.ACTION, {"do": do},
        visitor="" if agent else f"visitor-{conversation}",
        agent=agent, name="周宁" if agent else "",
    )  # fmt: skip


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[RocksMessageLog]:
    log = await asyncio.to_thread(RocksMessageLog, folder, **options)
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[RocksMessageLog]:
    async with opened(tmp_path / "log") as log:
        yield log


class BrokenDisk:
    """Stands before the engine; fails writes while `broken`, and can hold them up."""

    def __init__(self, log: RocksMessageLog) -> None:
        self._db: Any = log._engine._db
        self.broken = False
        self.gate: Callable[[], None] | None = None
        log._engine._db = self  # type: ignore[assignment]

    def write(self, *args: Any) -> None:
        if self.gate is not None:
            self.gate()
        if self.broken:
            raise Exception("IO error: No space left on device")
        self._db.write(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


@pytest.fixture
def disk(log: RocksMessageLog) -> Iterator[BrokenDisk]:
    disk = BrokenDisk(log)
    yield disk
    disk.broken, disk.gate = False, None


async def said(log: RocksMessageLog, conversation: int = 7) -> list[Any]:
    return [e.body for e in await log.entries(conversation, 0, 1_000) if e.type == EntryType.TEXT]


async def folded(log: RocksMessageLog, conversation: int = 7) -> Head:
    """The head as all entries make it, with who sent each of them."""
    head = Head(conversation, f"visitor-{conversation}")
    for record in log._engine.records(conversation, 0, 1 << 40):
        device, n = origin_of(record)
        fold(head, entry_of(record), device, n)
    return head


async def test_entries_get_consecutive_seqs_in_the_order_of_intents(log: RocksMessageLog) -> None:
    decisions = await log.commit([text(n, f"第{n}句") for n in range(1, 6)], NOW)
    assert [(d.n, d.seq) for d in decisions] == [(n, n) for n in range(1, 6)]
    entries = await log.entries(7, 0, 10)
    assert [(e.seq, e.body, e.time) for e in entries] == [(n, f"第{n}句", NOW) for n in range(1, 6)]


async def test_stored_frames_are_what_the_decision_carries(log: RocksMessageLog) -> None:
    decisions = await log.commit([text(1), action(2, "handoff")], NOW)
    assert await log.read(7, 0, 10) == [frame for d in decisions for frame in d.frames]


async def test_conversations_are_apart(log: RocksMessageLog) -> None:
    await log.commit([text(1, "a"), text(1, "b", conversation=8), text(2, "c")], NOW)
    await log.commit([text(1, "大", conversation=2**53 - 1), text(1, "小", conversation=1)], NOW)
    assert await said(log, 7) == ["a", "c"]
    assert await said(log, 8) == ["b"]
    assert await said(log, 2**53 - 1) == ["大"]
    assert await said(log, 1) == ["小"]


async def test_read_starts_after_and_stops_at_the_limit(log: RocksMessageLog) -> None:
    await log.commit([text(n) for n in range(1, 301)], NOW)
    assert [e.seq for e in await log.entries(7, 255, 3)] == [256, 257, 258]
    assert await log.entries(7, 300, 3) == []
    assert await log.entries(7, 0, 0) == []
    assert len(await log.read(7, 0, 1_000)) == 300


async def test_repeat_is_acked_again_and_not_stored_again(log: RocksMessageLog) -> None:
    await log.commit([text(1), text(2)], NOW)
    (again,) = await log.commit([text(2, "又一次")], NOW)
    assert (again.repeat, again.n, again.seq, again.entries) == (True, 2, 2, [])
    (both,) = await log.commit([text(1)], NOW)
    assert (both.repeat, both.n) == (True, 2)
    assert await said(log) == ["在吗", "在吗"]


async def test_repeat_within_one_batch_is_stored_once(log: RocksMessageLog) -> None:
    first, second = await log.commit([text(1), text(1)], NOW)
    assert (first.repeat, second.repeat) == (False, True)
    assert await said(log) == ["在吗"]


async def test_hole_is_refused_with_what_is_expected(log: RocksMessageLog) -> None:
    await log.commit([text(1)], NOW)
    (decision,) = await log.commit([text(3)], NOW)
    assert (decision.code, decision.expected, decision.entries) == (Code.HOLE, 2, [])


async def test_nobody_but_the_visitor_begins_a_conversation(log: RocksMessageLog) -> None:
    stranger = Message(9, "a3", "d", 1, EntryType.TEXT, "在", agent=3, name="周宁")
    move = Move(9, Event.CLOSE, Why.CLOSED)
    for decision in await log.commit([stranger, move, Rename(9, "张"), Outcome(9, 1, 1)], NOW):
        assert decision.code == Code.NOT_YOURS
    assert await log.head(9) is None
    assert await log.heads([9]) == {}
    assert log.marked(Role.INDEX) == []


async def test_refused_first_message_leaves_no_conversation(log: RocksMessageLog) -> None:
    (decision,) = await log.commit([text(2)], NOW)
    assert decision.code == Code.HOLE
    assert await log.head(7) is None


async def test_head_is_the_fold_of_the_entries(log: RocksMessageLog) -> None:
    await log.commit([text(1), action(2, "handoff"), action(1, "take", agent=3)], NOW)
    head = await log.head(7)
    assert head is not None
    assert head == await folded(log)
    assert (head.status, head.assignee, head.last) == (Status.OPEN, 3, 3)


@pytest.mark.parametrize("every", [1, 3, 16, 1_000])
async def test_what_was_committed_is_there_after_a_kill(
    tmp_path: Path, copy_folder: Copy, every: int
) -> None:
    async with opened(tmp_path / "log", snapshot_every=every) as log:
        for n in range(1, 41):
            await log.commit([text(n, f"第{n}句")], NOW)
        await log.commit([action(41, "handoff")], NOW)
        await log.commit([text(42)], NOW)
        head = await log.head(7)
        copy_folder(tmp_path / "log", tmp_path / "killed")
    async with opened(tmp_path / "killed", snapshot_every=every) as log:
        assert await log.head(7) == head == await folded(log)
        assert await said(log) == [f"第{n}句" for n in range(1, 41)] + ["在吗"]
        (again,) = await log.commit([text(42)], NOW)
        assert again.repeat
        assert set(log.marked(Role.INDEX)) == set(log.marked(Role.ASSIGNMENT)) == {7}


async def test_snapshot_with_the_rest_is_the_fold_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for length in range(1, 36):
        async with opened(folder) as log:
            await log.commit([text(length)], NOW + length)
        async with opened(folder) as log:
            head = await log.head(7)
            assert head is not None
            assert head == await folded(log)
            assert head.last == length


async def test_failed_commit_leaves_nothing_half_done(
    log: RocksMessageLog, disk: BrokenDisk
) -> None:
    await log.commit([text(1, "先")], NOW)
    await log.clear(Role.AI, [(7, 1)])
    before = await log.head(7)
    disk.broken = True
    with pytest.raises(StorageError):
        await log.commit([text(2, "坏"), action(3, "handoff"), text(1, conversation=8)], NOW)
    assert await log.head(7) == before == await folded(log)
    assert await log.head(8) is None
    assert log.marked(Role.ASSIGNMENT) == []
    assert log.marked(Role.INDEX) == [7]
    disk.broken = False
    decisions = await log.commit([text(2, "后"), text(1, conversation=8)], NOW)
    assert [(d.code, d.seq) for d in decisions] == [(0, 2), (0, 1)]
    assert await said(log) == ["先", "后"]
    assert await log.head(7) == await folded(log)


async def test_engine_that_failed_is_opened_again_with_the_next_commit(
    log: RocksMessageLog, disk: BrokenDisk
) -> None:
    # RocksDB refuses every write after one that failed, until it is opened again.
    await log.commit([text(1, "先")], NOW)
    disk.broken = True
    with pytest.raises(StorageError):
        await log.commit([text(2)], NOW)
    assert (await log.commit([text(2, "后")], NOW))[0].seq == 2
    assert log._engine._db is not disk
    assert await said(log) == ["先", "后"]
    assert log.marked(Role.INDEX) == [7]


async def test_engine_that_cannot_be_opened_again_is_still_read(
    log: RocksMessageLog, disk: BrokenDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.commit([text(1, "先")], NOW)
    disk.broken = True
    with pytest.raises(StorageError):
        await log.commit([text(2)], NOW)
    real = message_engine.Rdict
    with monkeypatch.context() as full:

        def only_for_reading(*given: Any, **options: Any) -> Any:
            if "access_type" not in options:
                raise Exception("IO error: No space left on device")
            return real(*given, **options)

        full.setattr(message_engine, "Rdict", only_for_reading)
        full.setattr(message_engine, "_MEND_S", 0.0)
        for _ in range(3):
            with pytest.raises(StorageError, match="No space"):
                await log.commit([text(2)], NOW)
            assert await said(log) == ["先"]
            head = await log.head(7)
            assert head is not None
            assert head.last == 1
    assert (await log.commit([text(2, "后")], NOW))[0].seq == 2
    assert await said(log) == ["先", "后"]


async def test_intent_that_cannot_be_stored_leaves_nothing_half_done(log: RocksMessageLog) -> None:
    await log.commit([text(1, "先")], NOW)
    poison = Message(7, "v", "d1", 3, EntryType.FILE, {"size": 10**30}, visitor="visitor-7")
    with pytest.raises(OverflowError):
        await log.commit([text(2, "好"), poison], NOW)
    (decision,) = await log.commit([text(2, "后")], NOW)
    assert decision.seq == 2
    assert await said(log) == ["先", "后"]


async def test_head_says_nothing_that_is_not_on_disk_yet(
    log: RocksMessageLog, disk: BrokenDisk
) -> None:
    await log.commit([text(1)], NOW)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(5)

    disk.gate = wait
    committing = asyncio.create_task(log.commit([text(2), action(3, "handoff")], NOW))
    await asyncio.sleep(0.01)
    head = await log.head(7)
    assert head is not None
    assert (head.last, head.status) == (1, Status.BOT)
    assert log.mark_read(7, agent=True, seq=9) == (0, 1)
    release.set()
    await committing
    head = await log.head(7)
    assert head is not None
    assert (head.last, head.status, head.read_agent) == (3, Status.WAITING, 1)


async def test_read_marks_saved_beside_a_failing_commit_do_not_carry_it_along(
    tmp_path: Path,
) -> None:
    # A snapshot with entries that were never stored would be a hole that nothing mends.
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1)], NOW)
        disk = BrokenDisk(log)
        writes = iter([True, False])
        disk.gate = lambda: setattr(disk, "broken", next(writes))
        log.mark_read(7, agent=True, seq=1)
        results = await asyncio.gather(
            log.commit([text(2)], NOW), log.flush_reads(), return_exceptions=True
        )
        assert isinstance(results[0], StorageError)
        assert results[1] is None
        disk.gate, disk.broken = None, False
    async with opened(tmp_path / "log") as log:
        head = await log.head(7)
        assert head is not None
        assert (head.last, head.read_agent) == (1, 1)
        (decision,) = await log.commit([text(2)], NOW)
        assert decision.seq == 2


async def test_clear_during_a_commit_keeps_the_mark_that_the_commit_needs(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1)], NOW)
        await log.commit([Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),))], NOW)
        head = await log.head(7)
        assert head is not None
        assert not head.owes_answer
        assert log.marked(Role.AI) == [7]
        await asyncio.gather(log.commit([text(2)], NOW), log.clear(Role.AI, [(7, head.last)]))
        assert log.marked(Role.AI) == [7]
    async with opened(tmp_path / "log") as log:
        assert log.marked(Role.AI) == [7]


async def test_cancelled_commit_is_whole_or_nothing(log: RocksMessageLog) -> None:
    for n in range(1, 30):
        committing = asyncio.create_task(log.commit([text(n, f"{n}"), text(n + 1, "另")], NOW))
        await asyncio.sleep(0)
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        head = await log.head(7)
        assert (head.last if head else 0) == len(await log.entries(7, 0, 1_000))
        await log.commit([text(n, f"{n}")], NOW)
        assert await log.head(7) == await folded(log)


async def test_marks_survive_until_they_are_cleared(tmp_path: Path, copy_folder: Copy) -> None:
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1), text(1, conversation=8), action(2, "handoff")], NOW)
        await log.clear(Role.INDEX, [(8, 1)])
        copy_folder(tmp_path / "log", tmp_path / "killed")
        marks = {role: set(log.marked(role)) for role in Role}
    assert marks[Role.ASSIGNMENT] == marks[Role.INDEX] == {7}
    assert 8 in marks[Role.AI]
    async with opened(tmp_path / "log") as log:
        assert {role: set(log.marked(role)) for role in Role} == marks
    async with opened(tmp_path / "killed") as log:
        for role in Role:  # a mark may come back, it may not be lost
            assert set(log.marked(role)) >= marks[role]


async def test_clear_keeps_the_mark_of_what_is_newer(log: RocksMessageLog) -> None:
    await log.commit([text(1)], NOW)
    await log.commit([text(2)], NOW)
    await log.clear(Role.INDEX, [(7, 1)])
    await log.clear(Role.AI, [(7, 2)])
    assert log.marked(Role.INDEX) == [7]
    assert log.marked(Role.AI) == [7], "nobody has answered"
    await log.clear(Role.INDEX, [(7, 2)])
    assert log.marked(Role.INDEX) == []


async def test_read_marks_go_forward_only_and_not_past_the_end(log: RocksMessageLog) -> None:
    assert log.mark_read(7, agent=False, seq=1) is None
    await log.commit([text(n) for n in range(1, 6)], NOW)
    assert log.mark_read(7, agent=False, seq=2) == (2, 0)
    assert log.mark_read(7, agent=True, seq=10**40) == (2, 5)
    assert log.mark_read(7, agent=True, seq=4) is None
    assert log.mark_read(7, agent=False, seq=-3) is None
    assert log.mark_read(7, agent=False, seq=2) is None


async def test_read_marks_survive_once_flushed(tmp_path: Path, copy_folder: Copy) -> None:
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1), text(2)], NOW)
        log.mark_read(7, agent=True, seq=2)
        await log.flush_reads()
        log.mark_read(7, agent=False, seq=1)
        await log.commit([text(3)], NOW)
        copy_folder(tmp_path / "log", tmp_path / "killed")
    for folder, read_visitor in ((tmp_path / "killed", 0), (tmp_path / "log", 1)):
        async with opened(folder) as log:
            head = await log.head(7)
            assert head is not None
            assert (head.last, head.read_visitor, head.read_agent) == (3, read_visitor, 2)


async def test_read_marks_are_kept_for_the_next_try_when_flushing_fails(
    log: RocksMessageLog, disk: BrokenDisk
) -> None:
    await log.commit([text(1)], NOW)
    log.mark_read(7, agent=True, seq=1)
    disk.broken = True
    with pytest.raises(StorageError):
        await log.flush_reads()
    disk.broken = False
    await log.flush_reads()
    stored = log._engine.get(head_key(7))
    assert message_heads._decode_head(stored).read_agent == 1


async def test_name_of_the_visitor_survives(tmp_path: Path) -> None:
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1)], NOW)
        await log.commit([Rename(7, "张三")], NOW)
    async with opened(tmp_path / "log") as log:
        head = await log.head(7)
        assert head is not None
        assert (head.visitor_name, head.last) == ("张三", 1)


async def test_letting_heads_go_never_changes_an_answer(tmp_path: Path) -> None:
    async with (
        opened(tmp_path / "small", heads=3) as small,
        opened(tmp_path / "large", heads=1_000) as large,
    ):
        for step in range(200):
            conversation, n = step * 7 % 11 + 1, step // 11 + 1
            intents = [text(n, f"{step}", conversation=conversation)]
            if step % 5 == 0:
                intents.append(action(1, "take", agent=3, conversation=conversation))
            answers: list[list[Decision]] = []
            for log in (small, large):
                answers.append(await log.commit(intents, NOW + step))
                log.mark_read(conversation, agent=step % 2 == 0, seq=step % 9)
                if step % 13 == 0:
                    await log.flush_reads()
            assert [(d.n, d.seq, d.code, d.frames) for d in answers[0]] == [
                (d.n, d.seq, d.code, d.frames) for d in answers[1]
            ]
        assert await small.heads(range(1, 12)) == await large.heads(range(1, 12))
        await small.flush_reads()
        await small.heads(range(1, 12))
        assert len(small._heads) <= 3


async def test_device_that_many_others_followed_is_still_known(
    tmp_path: Path, copy_folder: Copy
) -> None:
    # Its ack may have been lost: storing the message again would break "once".
    async with opened(tmp_path / "log") as log:
        await log.commit([text(1, "一"), text(2, "二")], NOW)
        for number in range(DEVICES_KEPT + 5):
            await log.commit([text(1, "别人", device=f"other-{number}")], NOW)
        head = await log.head(7)
        assert head is not None
        assert len(head.devices) == DEVICES_KEPT
        assert "v/d1" not in head.devices
        copy_folder(tmp_path / "log", tmp_path / "killed")
    async with opened(tmp_path / "killed") as log:
        assert await log.sent(7, "v/d1") == 2
        assert await log.sent(7, "v/nobody") == 0
        again, hole, next_one = await log.commit([text(2, "二"), text(9), text(3, "三")], NOW)
        assert (again.repeat, again.n, again.seq) == (True, 2, 2)
        assert (hole.code, hole.expected) == (Code.HOLE, 3)
        assert (next_one.code, next_one.n) == (0, 3)
        assert await said(log) == ["一", "二", *["别人"] * (DEVICES_KEPT + 5), "三"]
        head = await log.head(7)
        assert head is not None
        assert len(head.devices) == DEVICES_KEPT
        assert head == await folded(log)


async def test_second_process_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    async with opened(tmp_path / "log"):
        with pytest.raises(StartError, match="in use"):
            RocksMessageLog(tmp_path / "log")


async def test_closing_twice_is_fine_and_a_closed_log_says_so(tmp_path: Path) -> None:
    log = RocksMessageLog(tmp_path / "log")
    await log.commit([text(1)], NOW)
    await log.close()
    await log.close()
    with pytest.raises(StorageError, match="closed"):
        await log._engine.write(WriteBatch(raw_mode=True), sync=True)


async def test_damaged_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "CURRENT").write_text("MANIFEST-000099\n")
    with pytest.raises(StartError, match="cannot be opened"):
        RocksMessageLog(tmp_path / "log")
