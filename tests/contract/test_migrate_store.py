"""Moving to PostgreSQL: everything arrives, and a run that failed can be repeated."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from message_logs import NOW, action, read_on, text
from sqlalchemy import text as text_of

from qingniao.auth import KeyRing, Passwords
from qingniao.chat.head import DEVICES_KEPT
from qingniao.chat.intake import Outcome, Rename
from qingniao.chat.ports import Role
from qingniao.config import Config, DatabaseConfig
from qingniao.errors import ConfigError, StartError, StorageError
from qingniao.protocol.frames import EntryType
from qingniao.runtime.migration import migrate_store
from qingniao.runtime.standstill import refuse_if_moved
from qingniao.storage.copy_tables import copy_tables, count_rows
from qingniao.storage.database import Database
from qingniao.storage.first_run import first_run
from qingniao.storage.ids import Ids
from qingniao.storage.keys import SharedKeys
from qingniao.storage.message_export import LogExport
from qingniao.storage.message_import import LogImport
from qingniao.storage.messages_postgres import PostgresMessageLog
from qingniao.storage.messages_rocksdb import RocksMessageLog
from qingniao.storage.users import Users

MONTH_MS = 31 * 86_400_000


async def installed(data: Path) -> None:
    """An installation as it may be after months."""
    data.mkdir()
    await asyncio.to_thread(KeyRing.open, data / "keys")
    log = await asyncio.to_thread(RocksMessageLog, data / "messages")
    for conversation in range(1, 251):
        now = NOW - (conversation % 3) * MONTH_MS
        said = [
            text(n, f"第{n}句", conversation=conversation) for n in range(1, conversation % 9 + 2)
        ]
        await log.commit(said, now)
        if conversation % 4 == 0:
            await log.commit([action(len(said) + 1, "handoff", conversation=conversation)], now)
        elif conversation % 4 == 1:
            answer = Outcome(conversation, 1, len(said), ((EntryType.ANSWER, {"text": "在"}),))
            await log.commit([answer, Rename(conversation, "张三")], now)
        await read_on(log, conversation, agent=True, seq=1)
        if conversation % 2:
            await log.clear(Role.INDEX, [(conversation, 1_000)])
    for number in range(DEVICES_KEPT + 5):
        await log.commit([text(1, "别人", device=f"other-{number}")], NOW)
    # Marks of work that is done may linger here; there they do not.
    await log.clear(Role.AI, [(conversation, 1_000) for conversation in range(1, 251)])
    await log.close()
    database = await Database.open(data / "qingniao.db")
    await first_run(database, Passwords(), now_ms=NOW)
    await Ids(database).reserve("conversation", 500)
    await database.close()


def settings(data: Path, url: str) -> Config:
    return Config(data=str(data), database=DatabaseConfig(url=url))


async def everything(log: Any) -> dict[int, Any]:
    heads = await log.heads(range(1, 300))
    found = {c: (head, await log.read(c, 0, 10_000)) for c, head in heads.items()}
    devices = [f"v/other-{number}" for number in range(DEVICES_KEPT + 5)] + ["v/d1"]
    found[0] = (
        {role: await log.marked(role, limit=1_000) for role in Role},
        {device: await log.sent(7, device) for device in devices},
    )
    return found


async def test_everything_arrives(tmp_path: Path, postgres_url: str) -> None:
    data = tmp_path / "data"
    await installed(data)
    log = await asyncio.to_thread(RocksMessageLog, data / "messages")
    before = await everything(log)
    await log.close()
    told: list[str] = []
    done = await migrate_store(settings(data, postgres_url), told.append)
    assert done.conversations == 250
    assert "no server runs here" in told
    moved = await PostgresMessageLog.open(postgres_url)
    assert await everything(moved) == before
    (again,) = await moved.commit([text(1, device="other-0")], NOW)
    assert again.repeat
    await moved.close()
    tables = await Database.connect(postgres_url)
    old = await Database.open(data / "qingniao.db")
    assert await Users(tables).all() == await Users(old).all()
    assert await Ids(tables).reserve("conversation", 1) == await Ids(old).reserve("conversation", 1)
    ring = await asyncio.to_thread(KeyRing.open, data / "keys")
    assert (await SharedKeys.open(tables)).ring.keys == ring.keys
    await tables.close()
    await old.close()
    with pytest.raises(StartError, match="has moved"):
        await asyncio.to_thread(refuse_if_moved, data)


async def test_new_rows_are_numbered_after_those_that_came(
    tmp_path: Path, postgres_url: str
) -> None:
    await installed(tmp_path / "data")
    await migrate_store(settings(tmp_path / "data", postgres_url), lambda _: None)
    tables = await Database.connect(postgres_url)
    before = await Users(tables).all()
    await Users(tables).add(login="li", name="李", role="agent", password_hash="x", now_ms=NOW)
    after = await Users(tables).all()
    assert len(after) == len(before) + 1
    await tables.close()


async def test_database_in_use_is_refused(tmp_path: Path, postgres_url: str) -> None:
    await installed(tmp_path / "data")
    log = await PostgresMessageLog.open(postgres_url)
    await log.commit([text(1)], NOW)
    await log.close()
    with pytest.raises(StartError, match="in use already"):
        await migrate_store(settings(tmp_path / "data", postgres_url), lambda _: None)
    with pytest.raises(ConfigError):
        await migrate_store(settings(tmp_path / "data", ""), lambda _: None)
    with pytest.raises(StartError, match="no installation"):
        await migrate_store(settings(tmp_path / "nothing", postgres_url), lambda _: None)


async def test_database_with_accounts_and_no_messages_is_in_use_too(
    tmp_path: Path, postgres_url: str
) -> None:
    await installed(tmp_path / "data")
    tables = await Database.connect(postgres_url)
    await Users(tables).add(login="li", name="李", role="agent", password_hash="x", now_ms=NOW)
    for _ in range(2):
        with pytest.raises(StartError, match="in use already"):
            await migrate_store(settings(tmp_path / "data", postgres_url), lambda _: None)
    assert [user.login for user in await Users(tables).all()] == ["li"]
    await tables.close()


async def test_after_a_failure_it_goes_on_where_it_was(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    await installed(data)
    put = LogImport.put
    sent: list[int] = []

    async def breaks(self: LogImport, moved: Any) -> None:
        if sent:
            raise StorageError("The network was cut.")
        sent.append(len(moved))
        await put(self, moved)

    config = settings(data, postgres_url)
    with monkeypatch.context() as cut:
        cut.setattr(LogImport, "put", breaks)
        with pytest.raises(StorageError, match="cut"):
            await migrate_store(config, lambda _: None)
    with pytest.raises(StartError, match="being moved"):
        await PostgresMessageLog.open(postgres_url)
    # Meanwhile the installation goes on.
    log = await asyncio.to_thread(RocksMessageLog, data / "messages")
    await log.commit([text(1, device="new")], NOW)
    before = await everything(log)
    await log.close()
    assert (await migrate_store(config, lambda _: None)).conversations == 250
    moved = await PostgresMessageLog.open(postgres_url)
    assert await everything(moved) == before
    await moved.close()


async def test_given_up_in_the_middle_of_a_read_it_closes_nothing_that_is_read(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(tmp_path / "data")
    records, close = LogExport.records, LogExport.close
    is_reading, may_read = threading.Event(), threading.Event()
    closed_while_reading: list[bool] = []

    def slow(self: LogExport, conversation: int, after: int, limit: int) -> Any:
        is_reading.set()
        may_read.wait(10)
        found = records(self, conversation, after, limit)
        is_reading.clear()
        return found

    def seen(self: LogExport) -> None:
        closed_while_reading.append(is_reading.is_set())
        close(self)

    monkeypatch.setattr(LogExport, "records", slow)
    monkeypatch.setattr(LogExport, "close", seen)
    moving = asyncio.create_task(
        migrate_store(settings(tmp_path / "data", postgres_url), lambda _: None)
    )
    assert await asyncio.to_thread(is_reading.wait, 30)
    moving.cancel()
    await asyncio.sleep(0.1)
    may_read.set()
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert closed_while_reading == [False]


async def test_run_that_dies_after_the_hand_over_is_ended_by_the_next(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path / "data", postgres_url)
    await installed(tmp_path / "data")

    async def breaks(_: LogImport) -> None:
        raise StorageError("The network was cut.")

    with monkeypatch.context() as cut:
        cut.setattr(LogImport, "finish", breaks)
        with pytest.raises(StorageError, match="cut"):
            await migrate_store(config, lambda _: None)
    with pytest.raises(StartError, match="has moved"):
        await asyncio.to_thread(refuse_if_moved, tmp_path / "data")
    assert (await migrate_store(config, lambda _: None)).conversations == 250
    await (await PostgresMessageLog.open(postgres_url)).close()


async def test_what_does_not_arrive_as_it_was_is_found(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    await installed(data)
    put = LogImport.put

    async def garbles(self: LogImport, moved: Any) -> None:
        await put(self, moved)
        await self._connections.fetch(
            "UPDATE messages.entries SET record = '\\x00' WHERE conversation = 9 AND seq = 1"
        )

    monkeypatch.setattr(LogImport, "put", garbles)
    with pytest.raises(StorageError, match="Conversation 9 is not the same"):
        await migrate_store(settings(data, postgres_url), lambda _: None)
    await asyncio.to_thread(refuse_if_moved, data)


async def test_rows_that_change_or_go_between_passes_are_followed(
    tmp_path: Path, postgres_url: str
) -> None:
    await installed(tmp_path / "data")
    source = await Database.open(tmp_path / "data" / "qingniao.db")
    target = await Database.connect(postgres_url)
    assert await copy_tables(source, target) > 0
    assert await copy_tables(source, target) == 0
    async with source.write() as connection:
        await connection.execute(text_of("UPDATE users SET name = '新'"))
        await connection.execute(text_of("DELETE FROM knowledge WHERE rowid % 2"))
    assert await copy_tables(source, target) > 0
    assert await copy_tables(source, target) == 0
    assert await count_rows(source) == await count_rows(target)
    await source.close()
    await target.close()
