"""The server's half of a move: it stands still when asked, and for ever once all is moved."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from message_logs import NOW, text

from qingniao.bus.memory import MemoryFanout, MemoryWorkQueue
from qingniao.config import PipelineConfig
from qingniao.errors import Busy
from qingniao.pipeline.pipeline import Pipeline
from qingniao.runtime import standstill
from qingniao.runtime.standstill import MOVED, PAUSE, PAUSED, Standstill
from qingniao.storage.database import Database
from qingniao.storage.messages_rocksdb import RocksMessageLog


class Server:
    """What writes in a data folder."""

    def __init__(self, data: Path, log: RocksMessageLog, database: Database) -> None:
        self.move = data / "move"
        self.move.mkdir()
        self.pipeline = Pipeline(
            log, MemoryFanout(), MemoryWorkQueue(), lambda: NOW, PipelineConfig()
        )
        self.standstill = Standstill(data, self.pipeline, log, database)

    async def takes_messages(self) -> bool:
        try:
            await self.pipeline.submit(text(1))
        except Busy:
            return False
        return True

    async def answer(self, nonce: str) -> None:
        """Wait until the server says to whoever asked with `nonce` that it stands still."""
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    if await asyncio.to_thread((self.move / PAUSED).read_text) == nonce:
                        return
                await asyncio.sleep(0.002)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(standstill, "_LOOK_S", 0.01)
    log = await asyncio.to_thread(RocksMessageLog, tmp_path / "messages")
    database = await Database.open(tmp_path / "qingniao.db")
    server = await asyncio.to_thread(Server, tmp_path, log, database)
    jobs = [asyncio.create_task(job.run()) for job in (server.pipeline, server.standstill)]
    yield server
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    await database.close()
    await log.close()


async def ask(server: Server, nonce: str) -> None:
    await asyncio.to_thread((server.move / PAUSE).write_text, nonce)
    await server.answer(nonce)


async def test_it_stands_still_while_asked_and_goes_on_when_who_asked_has_gone(
    server: Server,
) -> None:
    assert await server.takes_messages()
    await ask(server, "first")
    assert not await server.takes_messages()
    await asyncio.to_thread((server.move / PAUSE).unlink)
    async with asyncio.timeout(10):
        while not await server.takes_messages():
            await asyncio.sleep(0.002)
    assert not await asyncio.to_thread((server.move / PAUSED).exists)


async def test_another_who_asks_meanwhile_is_answered_too(server: Server) -> None:
    # The first was killed and left its file behind.
    await ask(server, "first")
    await ask(server, "second")
    assert not await server.takes_messages()


async def test_hand_over_in_the_middle_of_a_look_is_not_taken_for_a_request_that_ended(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(server, "first")
    exists, asked = Path.exists, server.standstill._asked
    seen: list[str | None] = []

    def exists_just_before(path: Path) -> bool:
        there = exists(path)
        if path.name == MOVED and not there:
            path.with_name(PAUSE).rename(path)
        return there

    def looks() -> str | None:
        monkeypatch.setattr(Path, "exists", exists if seen else exists_just_before)
        seen.append(asked())
        return seen[-1]

    monkeypatch.setattr(server.standstill, "_asked", looks)
    async with asyncio.timeout(10):
        while len(seen) < 3:
            await asyncio.sleep(0.002)
    assert None not in seen
    assert not await server.takes_messages()
