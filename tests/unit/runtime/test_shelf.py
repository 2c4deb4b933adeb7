"""The bots of a process: made of what is published, anew when that changes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_server import ScriptedServer, says_events

from qingniao.auth import KeyRing
from qingniao.auth.sealing import Sealer
from qingniao.bots.base import (
    BotError,
    BotMisconfigured,
    BotOverBudget,
    BotService,
    Done,
    Grounded,
    Query,
)
from qingniao.bots.figures import read_figures
from qingniao.bots.kinds import origin_of, place_of
from qingniao.bots.simple import SimpleBot
from qingniao.outgoing.client import Outgoing
from qingniao.runtime.bot_watch import BotWatch
from qingniao.runtime.bots import Shelf
from qingniao.storage.bot_records import BotRecords
from qingniao.storage.bots import BotLedger, Bots
from qingniao.storage.database import Database
from qingniao.storage.rows import BotRow


class House:
    def __init__(self, database: Database, outgoing: Outgoing, url: str) -> None:
        self.bots, self.sealer = Bots(database), Sealer(KeyRing({1: b"a" * 32}))
        self.url = url
        self.shelf = Shelf(self.bots, self.sealer, outgoing, BotLedger(database))

    async def publish(self, key: str = "k", policy: Any = None, **settings: Any) -> None:
        settings = {"model": "m", "base_url": self.url} | settings
        row = BotRow(id="m", version=0, kind="openai", name="M", status="draft",
                     settings=settings, policy=policy or {})  # fmt: skip
        await self.bots.save_draft(row)
        if key:
            await self.put(key)
        await self.bots.publish("m", 1)
        await self.shelf.look()

    async def put(self, key: str) -> None:
        origin = origin_of("openai", {"base_url": self.url})
        sealed = self.sealer.seal(key, place_of("m", origin, "key"))
        await self.bots.put_secrets("m", origin, {"key": sealed}, 1)

    def find(self) -> BotService:
        bot = self.shelf.find("m")
        assert bot is not None
        return bot

    async def answer(self) -> Done:
        events = [e async for e in self.find().reply(Query(conversation=1, text="x"))]
        assert isinstance(events[-1], Done)
        return events[-1]


@pytest.fixture
async def house(
    tmp_path: Path, outgoing: Outgoing, scripted: ScriptedServer
) -> AsyncIterator[House]:
    usage = {"prompt_tokens": 60, "completion_tokens": 1}
    chunk = {"choices": [{"delta": {"content": "好"}, "finish_reason": "stop"}], "usage": usage}
    scripted.will(says_events(chunk, "[DONE]"))
    database = await Database.open(tmp_path / "house.db")
    house = House(database, outgoing, scripted.url)
    yield house
    await house.shelf.close()
    await database.close()


async def test_answer_names_the_version_that_gave_it(
    house: House, scripted: ScriptedServer
) -> None:
    assert house.shelf.find("m") is None
    await house.publish(prompt="eins")
    assert (await house.answer()).version == "1"
    await house.publish(prompt="zwei")
    assert (await house.answer()).version == "2"
    await house.bots.roll_back("m", 1, 2)
    await house.shelf.look()
    assert (await house.answer()).version == "3"
    prompts = [asked.json["messages"][0]["content"] for asked in scripted.asked]
    assert prompts == ["eins", "zwei", "eins"]


async def test_what_visitors_got_is_counted_and_a_failure_is_kept(
    house: House, outgoing: Outgoing, scripted: ScriptedServer
) -> None:
    records = BotRecords(house.bots._database)
    watch = BotWatch(records, lambda: 7_200_000)
    shelf = Shelf(
        house.bots, house.sealer, outgoing, BotLedger(house.bots._database), records, watch
    )
    house.shelf = shelf
    await records.put_first("m")
    await house.publish(policy={"tries": 1})
    assert shelf.first == "m"
    await house.answer()
    scripted.answers.clear()
    scripted.will(says_events("no answer at all"))
    with pytest.raises(BotError):
        await house.answer()
    await watch.flush()
    figures = read_figures((await records.sums(2))["m"])
    assert (figures.answers, figures.failures, figures.tokens) == (1, 1, 61)
    assert (await records.failures())["m"].detail
    await shelf.close()


async def test_draft_answers_nobody(house: House) -> None:
    await house.publish()
    row = (await house.bots.versions("m"))[0]
    await house.bots.save_draft(row)
    before = house.find()
    await house.shelf.look()
    assert house.find() is before


async def test_new_key_is_taken_over(house: House, scripted: ScriptedServer) -> None:
    await house.publish("old")
    await house.answer()
    await house.put("new")
    await house.shelf.look()
    await house.answer()
    assert [a.headers["authorization"] for a in scripted.asked] == ["Bearer old", "Bearer new"]


async def test_bot_that_cannot_be_made_says_why(house: House) -> None:
    await house.publish()
    house.shelf._sealer = Sealer(KeyRing({2: b"b" * 32}))
    await house.put("sealed by a key that is gone")
    await house.shelf.look()
    with pytest.raises(BotMisconfigured, match="Enter it again"):
        house.shelf.find("m")
    assert house.shelf.find("other") is None


async def test_budget_outlives_the_process(house: House, outgoing: Outgoing) -> None:
    policy = {"day_tokens": 100}
    await house.publish(policy=policy)
    await house.answer()
    await house.answer()
    again = Shelf(house.bots, house.sealer, outgoing, house.shelf._ledger)
    await again.look()
    bot = again.find("m")
    assert bot is not None
    with pytest.raises(BotOverBudget):
        async for _ in bot.reply(Query(conversation=1, text="x")):
            pass
    await again.close()


class Spare(SimpleBot):
    name = "local"

    async def reply(self, query: Query):  # type: ignore[no-untyped-def]
        yield Grounded()
        yield Done(text="aus dem Haus")


async def asked(bot: BotService | None) -> str:
    assert bot is not None
    events = [e async for e in bot.reply(Query(conversation=1, text="x"))]
    assert isinstance(events[-1], Done)
    return events[-1].text


async def test_bot_that_fails_is_stood_in_for(house: House, scripted: ScriptedServer) -> None:
    own: dict[str, BotService] = {"local": Spare()}
    await house.publish(policy={"then": ["m", "nobody", "local"], "tries": 1})
    assert await asked(house.shelf.answering("m", own)) == "好"
    scripted.answers.clear()
    assert await asked(house.shelf.answering("m", own)) == "aus dem Haus"
    # And one that cannot even be made.
    house.shelf._sealer = Sealer(KeyRing({2: b"b" * 32}))
    await house.put("sealed by a key that is gone")
    await house.shelf.look()
    assert await asked(house.shelf.answering("m", own)) == "aus dem Haus"
    with pytest.raises(BotMisconfigured, match="Enter it again"):
        house.shelf.answering("m", {})
    assert house.shelf.answering("nobody", own) is None
