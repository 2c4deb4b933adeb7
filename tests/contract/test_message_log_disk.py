"""What the log saves on the disk changes nothing of what it promises: other options, room written
ahead, log files used again, marks that are taken off late."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Options

from qingniao.chat.intake import Message
from qingniao.chat.ports import Role
from qingniao.protocol.frames import EntryType
from qingniao.storage import message_engine, message_heads, message_options
from qingniao.storage.message_keys import mark_key
from qingniao.storage.message_runway import SMALL_BYTES, Runway
from qingniao.storage.messages_rocksdb import RocksMessageLog

NOW = 1_795_500_000_000
Copy = Callable[[Path, Path], None]


def text(n: int, body: str = "在吗", conversation: int = 7) -> Message:
    return Message(
        conversation, "v", "d1", n, EntryType.TEXT, body, visitor=f"visitor-{conversation}"
    )


def plain_options() -> Options:
    """As version 0.1.0 opened it."""
    chosen = Options(raw_mode=True)
    chosen.create_if_missing(True)
    chosen.set_write_buffer_size(32 << 20)
    return chosen


async def opened(folder: Path) -> RocksMessageLog:
    return await asyncio.to_thread(RocksMessageLog, folder)


async def quiet(log: RocksMessageLog) -> None:
    """Until the engine does nothing by itself: only then is a copy what a kill leaves."""
    doing = ("num-running-flushes", "mem-table-flush-pending", "num-running-compactions",
             "compaction-pending")  # fmt: skip
    async with asyncio.timeout(10):
        while any(log._engine._db.property_int_value(f"rocksdb.{name}") for name in doing):
            await asyncio.sleep(0.01)


async def said(log: RocksMessageLog, conversation: int = 7) -> list[object]:
    return [entry.body for entry in await log.entries(conversation, 0, 100_000)]


def newest_log(folder: Path) -> Path:
    return max(folder.glob("*.log"), key=lambda path: int(path.stem))


def is_packed(folder: Path) -> bool:
    chosen = max(folder.glob("OPTIONS-*")).read_text("utf-8")
    return "wal_compression=kZSTD" in chosen


@pytest.mark.parametrize("old_first", [True, False])
async def test_folder_of_other_options_opens_with_everything_in_it(
    tmp_path: Path, copy_folder: Copy, monkeypatch: pytest.MonkeyPatch, old_first: bool
) -> None:
    new_options = message_engine.engine_options
    options = [plain_options, new_options] if old_first else [new_options, plain_options]
    bodies = [f"第{n}句，" + "慢" * (n % 90) for n in range(1, 301)]
    monkeypatch.setattr(message_engine, "engine_options", options[0])
    log = await opened(tmp_path / "log")
    await log.commit([text(n, body) for n, body in enumerate(bodies[:150], 1)], NOW)
    log._engine._db.flush()  # some of it is in a table, the rest in the log
    await log.commit([text(n, body) for n, body in enumerate(bodies[150:299], 151)], NOW)
    copy_folder(tmp_path / "log", tmp_path / "killed")
    await log.close()
    for folder in ("log", "killed"):
        monkeypatch.setattr(message_engine, "engine_options", options[1])
        log = await opened(tmp_path / folder)
        assert is_packed(tmp_path / folder) is old_first
        (decision,) = await log.commit([text(300, bodies[299])], NOW)
        assert decision.seq == 300
        assert await said(log) == bodies
        await log.close()


async def test_log_opens_without_packing_where_its_options_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_options.tempfile, "tempdir", str(tmp_path / "nowhere"))
    log = await opened(tmp_path / "log")
    await log.commit([text(1)], NOW)
    assert not is_packed(tmp_path / "log")
    assert await said(log) == ["在吗"]
    await log.close()


async def test_small_commits_do_not_make_the_log_file_grow(
    tmp_path: Path, copy_folder: Copy
) -> None:
    log = await opened(tmp_path / "log")
    await log.commit([text(1, "第1句")], NOW)
    size = newest_log(tmp_path / "log").stat().st_size
    assert size > 1 << 20
    for n in range(2, 101):
        await log.commit([text(n, f"第{n}句")], NOW)
    assert newest_log(tmp_path / "log").stat().st_size == size
    copy_folder(tmp_path / "log", tmp_path / "killed")
    await log.close()
    log = await opened(tmp_path / "killed")
    assert await said(log) == [f"第{n}句" for n in range(1, 101)]
    await log.close()


async def test_kill_at_any_moment_keeps_what_lies_in_logs_used_again(
    tmp_path: Path, copy_folder: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_options, "_WRITE_BUFFER_BYTES", 64 << 10)
    monkeypatch.setattr("qingniao.storage.message_runway._FIRST_ROOM_BYTES", 64 << 10)
    monkeypatch.setattr("qingniao.storage.message_runway._ROOM_BYTES", 16 << 10)
    dice = random.Random(4)
    log = await opened(tmp_path / "log")
    bodies: list[str] = []
    files: set[tuple[int, str]] = set()
    for step in range(400):
        new = ["".join(dice.choices("退货运费发票尺码", k=90)) for _ in range(dice.choice((1, 40)))]
        await log.commit([text(n, b) for n, b in enumerate(new, len(bodies) + 1)], NOW)
        bodies += new
        newest = newest_log(tmp_path / "log")
        files.add((newest.stat().st_ino, newest.name))
        if step % 80 == 79:
            killed = tmp_path / f"killed-{step}"
            await quiet(log)
            copy_folder(tmp_path / "log", killed)
            again = await opened(killed)
            assert await said(again) == bodies
            await again.close()
    await log.close()
    assert len({inode for inode, _ in files}) < len(files), "no file was used again"


async def test_cleared_mark_is_found_again_by_the_next_message(
    tmp_path: Path, copy_folder: Copy
) -> None:
    log = await opened(tmp_path / "log")
    await log.commit([text(1)], NOW)
    await log.clear(Role.INDEX, [(7, 1)])
    assert await log.marked(Role.INDEX) == []
    assert log._engine.get(mark_key(Role.INDEX, 7)) == b""
    copy_folder(tmp_path / "log", tmp_path / "cleared")
    await log.commit([text(2)], NOW)
    assert await log.marked(Role.INDEX) == [7]
    copy_folder(tmp_path / "log", tmp_path / "owed")
    await log.close()
    for folder in ("cleared", "owed"):  # after a kill it counts: its worker looks for nothing
        log = await opened(tmp_path / folder)
        assert await log.marked(Role.INDEX) == [7]
        await log.close()


async def test_cleared_marks_leave_the_disk_and_only_they(
    tmp_path: Path, copy_folder: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_heads, "CLEARED_KEPT", 10)
    monkeypatch.setattr(message_heads.Heads.put_cleared, "__defaults__", (10,))
    log = await opened(tmp_path / "log")
    sent: dict[int, int] = {}
    dice = random.Random(8)
    for _ in range(300):
        conversation = dice.randint(1, 40)
        sent[conversation] = sent.get(conversation, 0) + 1
        (decision,) = await log.commit([text(sent[conversation], conversation=conversation)], NOW)
        if dice.random() < 0.8:
            await log.clear(Role.INDEX, [(conversation, decision.seq)])
        assert len(log._heads._cleared[Role.INDEX]) <= 10
    owed = set(await log.marked(Role.INDEX))
    assert 0 < len(owed) < 40
    copy_folder(tmp_path / "log", tmp_path / "killed")
    await log.close()
    log = await opened(tmp_path / "killed")
    assert owed <= set(await log.marked(Role.INDEX))
    assert len(await log.marked(Role.INDEX, limit=10_000)) <= len(owed) + 10
    await log.close()
    log = await opened(tmp_path / "log")
    assert set(await log.marked(Role.INDEX)) == owed, "closed in peace, nothing comes back"
    await log.close()


def test_room_lies_behind_what_was_written_and_is_made_for_small_commits_only(
    tmp_path: Path,
) -> None:
    log = tmp_path / "000012.log"
    (tmp_path / "000009.log").write_bytes(b"older")
    log.write_bytes(b"written")
    runway = Runway(tmp_path)
    for _ in range(200):
        runway.prepare(SMALL_BYTES * 10, sync=True)
    runway.prepare(100, sync=False)
    assert log.read_bytes() == b"written"
    runway.prepare(100, sync=True)
    assert log.read_bytes() == b"written", "the commits before were large ones"
    runway.prepare(100, sync=True)
    assert log.read_bytes().rstrip(b"\0") == b"written"
    assert log.stat().st_size > 1 << 20
    assert (tmp_path / "000009.log").read_bytes() == b"older"


def test_missing_room_is_no_reason_to_fail(tmp_path: Path) -> None:
    runway = Runway(tmp_path / "nowhere")
    runway.open()
    runway.prepare(100, sync=True)
    assert not (tmp_path / "nowhere").exists()
