"""What is published anywhere is used here: when somebody says so, and when nobody does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_house import until

from qingniao.bus.memory import MemoryFanout, MemoryWorkQueue
from qingniao.flow.samples import AFTER_SALES
from qingniao.flow.samples import read as read_sample_flow
from qingniao.runtime import flows as module
from qingniao.runtime.answering import Answering
from qingniao.runtime.signed_in import SignedIn
from qingniao.storage.database import Database
from qingniao.storage.flows import Flows

SAMPLE = msgspec.to_builtins(read_sample_flow(AFTER_SALES))


class Here:
    """An answering process and the database that it shares with whoever publishes."""

    def __init__(self, database: Database) -> None:
        unused: Any = None
        self.flows = Flows(database)
        self.answering = Answering(
            unused, unused, MemoryFanout(), MemoryWorkQueue(),
            visitors=unused, senses=unused, bot=unused, teams=unused, attachments=unused,
            parallel=1,
        )  # fmt: skip
        self.released = asyncio.Event()
        self.keeping: asyncio.Task[None] | None = None

    async def publish(self, name: str) -> None:
        graph = SAMPLE | {"name": {"zh-CN": name}}
        await self.flows.save_draft(AFTER_SALES, name=name, graph=graph, now_ms=1)
        await self.flows.publish(AFTER_SALES, 1)

    async def publish_nonsense(self) -> None:
        await self.flows.save_draft(AFTER_SALES, name="x", graph={"nodes": 7}, now_ms=1)
        await self.flows.publish(AFTER_SALES, 1)

    @property
    def version(self) -> int:
        return self.answering.flows().flow.version


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    database = await Database.open(tmp_path / "qingniao.db")
    here = Here(database)
    await here.publish("first")
    await here.answering.load_flow(here.flows)
    here.keeping = asyncio.create_task(here.answering.keep_flow(here.flows, here.released))
    yield here
    here.keeping.cancel()
    await asyncio.gather(here.keeping, return_exceptions=True)
    await database.close()


async def test_a_flow_is_used_as_soon_as_it_is_said_to_be_released(here: Here) -> None:
    before = here.answering.flows()
    await here.publish("second")
    here.released.set()
    await until(lambda: here.version == 2)
    assert here.answering.flows() is not before


async def test_what_nobody_said_is_found_out(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    here.released.set()  # the look under way has the long interval
    await here.publish("second")
    await until(lambda: here.version == 2)
    monkeypatch.undo()
    await asyncio.sleep(0.1)  # the last of the quick looks is over: nothing is cut in the middle


async def test_a_flow_that_cannot_be_read_leaves_the_one_in_use(here: Here) -> None:
    before = here.answering.flows()
    await here.publish_nonsense()
    here.released.set()
    await until(lambda: not here.released.is_set())
    await here.publish("third")
    here.released.set()
    await until(lambda: here.version == 3)
    assert before is not here.answering.flows()
    assert here.keeping is not None and not here.keeping.done()


async def test_who_was_signed_out_elsewhere_is_sent_away_without_being_told_of() -> None:
    ended: list[str] = []

    class Sessions:
        async def get(self, session: str) -> object | None:
            return None if session == "gone" else session

    here = ["one", "gone", "one", "gone"]
    await SignedIn(lambda: here, Sessions(), lambda item: ended.append(item.session)).look()
    assert ended == ["gone"]
