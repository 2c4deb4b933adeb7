"""On disk before it is told: who is synced when, who waits for it, and what is seen meanwhile."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qingniao.chat.intake import Message
from qingniao.chat.ports import ReadMark
from qingniao.errors import StorageError
from qingniao.protocol.frames import EntryType
from qingniao.storage import message_engine, message_options
from qingniao.storage.messages_rocksdb import RocksMessageLog

NOW = 1_795_500_000_000


def text(n: int, body: str = "在吗", conversation: int = 7) -> Message:
    return Message(
        conversation, "v", "d1", n, EntryType.TEXT, body, visitor=f"visitor-{conversation}"
    )


class Disk:
    """`os.fdatasync` of the log that notes what it was asked for, waits, or fails."""

    def __init__(self) -> None:
        self.synced: dict[int, int] = {}
        """inode → its size when it was synced last"""
        self.order: list[int] = []
        self.works = threading.Event()
        self.works.set()
        self.waiting = threading.Event()
        self.fault: OSError | None = None

    def fdatasync(self, file: int) -> None:
        if not self.works.is_set():
            self.waiting.set()
            assert self.works.wait(20)
        if self.fault is not None:
            raise self.fault
        real_fdatasync(file)
        found = os.fstat(file)
        self.synced[found.st_ino] = found.st_size
        self.order.append(found.st_ino)


real_fdatasync = os.fdatasync


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("qingniao.storage.message_sync.os.fdatasync", disk.fdatasync)
    return disk


@pytest.fixture
async def log(tmp_path: Path, disk: Disk) -> AsyncIterator[RocksMessageLog]:
    log = await asyncio.to_thread(RocksMessageLog, tmp_path / "log")
    yield log
    disk.fault = None
    disk.works.set()
    await log.close()


def logs(folder: Path) -> list[os.stat_result]:
    """The log files, oldest first."""
    return [p.stat() for p in sorted(folder.glob("*.log"), key=lambda path: int(path.stem))]


async def hung(log: RocksMessageLog, disk: Disk, message: Message) -> "asyncio.Task[Any]":
    """A commit that waits for the disk."""
    disk.works.clear()
    commit = asyncio.create_task(log.commit([message], NOW))
    await asyncio.to_thread(disk.waiting.wait, 10)
    return commit


async def test_everybody_goes_on_while_the_disk_is_waited_for(
    log: RocksMessageLog, disk: Disk
) -> None:
    commit = await hung(log, disk, text(1))
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert not commit.done()
    disk.works.set()
    assert (await commit)[0].seq == 1


async def test_nobody_sees_what_is_not_on_disk_yet(log: RocksMessageLog, disk: Disk) -> None:
    await log.commit([text(1)], NOW)
    commit = await hung(log, disk, text(2))
    assert log._engine._db.get(b"e" + bytes([0] * 7 + [7]) + bytes([0] * 7 + [2])), "it is there"
    assert len(await log.read(7, 0, 10)) == len(await log.entries(7, 0, 10)) == 1
    head = await log.head(7)
    assert head is not None and head.last == 1
    log._heads._heads.clear()
    assert await log.head(7) is None and await log.read(7, 0, 10) == []
    disk.works.set()
    await commit
    assert len(await log.read(7, 0, 10)) == 2


async def test_new_conversation_is_not_there_before_it_is_on_disk(
    log: RocksMessageLog, disk: Disk
) -> None:
    commit = await hung(log, disk, text(1, conversation=9))
    assert await log.head(9) is None and await log.read(9, 0, 10) == []
    disk.works.set()
    await commit
    assert len(await log.read(9, 0, 10)) == 1


async def test_newest_log_file_is_synced_whole_with_every_commit(
    tmp_path: Path, log: RocksMessageLog, disk: Disk
) -> None:
    for n in range(1, 20):
        await log.commit([text(n)], NOW)
        newest = logs(tmp_path / "log")[-1]
        assert disk.order[-1] == newest.st_ino and disk.synced[newest.st_ino] == newest.st_size


async def test_superseded_log_file_is_synced_before_the_next(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_options, "_WRITE_BUFFER_BYTES", 64 << 10)
    log = await asyncio.to_thread(RocksMessageLog, tmp_path / "log")
    switches, n, before = 0, 0, logs(tmp_path / "log")[-1].st_ino
    while switches < 5:
        n += 1
        await log.commit([text(n, os.urandom(600).hex())], NOW)
        await log.mark_read([ReadMark(7, True, n)])
        await log.flush_reads()  # not synced: it is what a superseded file may end with
        newest = logs(tmp_path / "log")[-1].st_ino
        if newest != before:
            await log.commit([text(n := n + 1)], NOW)
            assert disk.order[-1] == newest
            if before in {found.st_ino for found in logs(tmp_path / "log")}:
                assert before in disk.order[-2:], "the gap would end the recovery"
            switches, before = switches + 1, newest
    await log.close()
    log = await asyncio.to_thread(RocksMessageLog, tmp_path / "log")
    assert len(await log.read(7, 0, 100_000)) == n
    await log.close()


async def test_sync_that_fails_fails_the_commit_and_is_not_asked_twice(
    log: RocksMessageLog, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_engine, "_MEND_S", 0.01)
    await log.commit([text(1)], NOW)
    disk.fault = OSError(errno.EIO, "Input/output error")
    with pytest.raises(StorageError, match=r"cannot be written.*Input/output"):
        await log.commit([text(2)], NOW)
    assert len(await log.read(7, 0, 10)) == 1, "it may not be on disk"
    disk.fault = None
    opened = log._engine._db
    # The log is opened again, whatever a second sync would say; then the repeat is known or new.
    (decision,) = await log.commit([text(2)], NOW)
    assert log._engine._db is not opened
    assert decision.seq == 2 and len(await log.read(7, 0, 10)) == 2
