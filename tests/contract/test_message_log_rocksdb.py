"""What RocksDB promises beyond the port: one process, snapshots, getting well after a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from message_logs import NOW, action, folded, read_on, said, text
from rocksdict import WriteBatch

from qingniao.chat.head import Head
from qingniao.chat.intake import Outcome
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import Role
from qingniao.errors import StartError, StorageError
from qingniao.protocol.frames import EntryType
from qingniao.storage import message_engine, message_heads
from qingniao.storage.message_keys import head_key
from qingniao.storage.messages_rocksdb import RocksMessageLog

Copy = Callable[[Path, Path], None]


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


async def fold_of(log: RocksMessageLog) -> Head:
    return folded(list(log._engine.records(7, 0, 1 << 40)))


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
        assert await log.head(7) == head == await fold_of(log)
        assert await said(log) == [f"第{n}句" for n in range(1, 41)] + ["在吗"]
        (again,) = await log.commit([text(42)], NOW)
        assert again.repeat
        assert set(await log.marked(Role.INDEX)) == set(await log.marked(Role.ASSIGNMENT)) == {7}


async def test_snapshot_with_the_rest_is_the_fold_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for length in range(1, 36):
        async with opened(folder) as log:
            await log.commit([text(length)], NOW + length)
        async with opened(folder) as log:
            head = await log.head(7)
            assert head is not None
            assert head == await fold_of(log)
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
    assert await log.head(7) == before == await fold_of(log)
    assert await log.head(8) is None
    assert await log.marked(Role.ASSIGNMENT) == []
    assert await log.marked(Role.INDEX) == [7]
    disk.broken = False
    decisions = await log.commit([text(2, "后"), text(1, conversation=8)], NOW)
    assert [(d.code, d.seq) for d in decisions] == [(0, 2), (0, 1)]
    assert await said(log) == ["先", "后"]
    assert await log.head(7) == await fold_of(log)


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
    assert await log.marked(Role.INDEX) == [7]


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
    assert await read_on(log, 7, agent=True, seq=9) == (0, 1)
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
        await read_on(log, 7, agent=True, seq=1)
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
        assert await log.marked(Role.AI) == [7]
        await asyncio.gather(log.commit([text(2)], NOW), log.clear(Role.AI, [(7, head.last)]))
        assert await log.marked(Role.AI) == [7]
    async with opened(tmp_path / "log") as log:
        assert await log.marked(Role.AI) == [7]


async def test_read_marks_are_kept_for_the_next_try_when_flushing_fails(
    log: RocksMessageLog, disk: BrokenDisk
) -> None:
    await log.commit([text(1)], NOW)
    await read_on(log, 7, agent=True, seq=1)
    disk.broken = True
    with pytest.raises(StorageError):
        await log.flush_reads()
    disk.broken = False
    await log.flush_reads()
    stored = log._engine.get(head_key(7))
    assert message_heads._decode_head(stored).read_agent == 1


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
