"""FastGPT says what a visitor wants and Coze which team gets them, in the whole product.

Both are doubles, reached over HTTP as the platforms are. Two agents sit in two teams: it matters
which of them gets a conversation; when a platform fails, that somebody does.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import StartServer
from doubles_house import StartDouble

from qingniao.client import Client
from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.double import Double
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.flow.samples import AFTER_SALES
from qingniao.protocol.frames import DownFrame, Entry, EntryType
from qingniao.replay.house import Api
from qingniao.storage.database import Database
from qingniao.storage.flows import Flows
from qingniao.testing.servers import Furnished

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PASSWORD: Final = "correct horse battery"
WITHIN_S: Final = 30.0
POLICY: Final = {"failures": 0}
"""Asked each time, however often it failed: that is what is looked at here."""
OURS: Final = "您好，这是我们自己听出来的。"
DELIVERY: Final = "物流信息在订单页里。"
ELSE: Final = "请换个说法。"


def say(id: str, text: str) -> dict[str, Any]:
    return {"id": id, "kind": "say", "settings": {"text": {"zh-CN": text}}}


FLOW: Final = {
    "id": AFTER_SALES,
    "fallback": {"zh-CN": "抱歉，马上请人来。"},
    "nodes": [
        {"id": "start", "kind": "start"},
        {
            "id": "intent",
            "kind": "intent",
            "settings": {
                "judge": "sorter",
                "explains": False,
                "routes": [
                    {"port": "after_sales", "intents": ["售后"]},
                    {"port": "delivery", "intents": ["物流"]},
                    {"port": "hello", "intents": ["greeting"]},
                ],
            },
        },
        {
            "id": "person",
            "kind": "handoff",
            "settings": {
                "why": "rule", "text": {"zh-CN": "正在为您转接。"},
                "router": "teams", "explains": False,
            },
        },
        say("delivery", DELIVERY),
        say("hello", OURS),
        say("else", ELSE),
        {"id": "end", "kind": "end"},
    ],
    "edges": [
        {"source": source, "port": port, "target": target}
        for source, port, target in (
            ("start", "asked", "intent"),
            ("intent", "person", "person"), ("intent", "angry", "person"),
            ("intent", "after_sales", "person"), ("intent", "delivery", "delivery"),
            ("intent", "hello", "hello"), ("intent", "other", "else"),
            ("delivery", "next", "end"), ("hello", "next", "end"), ("else", "next", "end"),
        )
    ],
}  # fmt: skip


class Shop:
    """A server that walks that flow, its administrator, and who is at work in which team."""

    def __init__(self, url: str, sorter: Double, router: Double) -> None:
        self.admin = Api(url)
        self.sorter, self.router = sorter, router
        self.teams: dict[str, int] = {}

    async def open(self, one_time_password: str) -> None:
        """Two bots and two teams."""
        await self.admin.sign_in("admin", one_time_password, PASSWORD)
        await self.admin.call("PATCH", "/session/user", {"accepting": False})
        key = {"key": "fastgpt-double-classifier"}
        await self.publish("sorter", "fastgpt", {"base_url": f"{self.sorter.url}/api"}, key)
        settings = {"base_url": self.router.url, "bot": "7380000000000000002"}
        await self.publish("teams", "coze", settings, {"token": "pat_double"})
        for name in ("售后组", "物流组"):
            made = await self.admin.call("POST", "/teams", {"name": name})
            self.teams[name] = made["id"]

    async def publish(
        self, bot: str, kind: str, settings: dict[str, str], secrets: dict[str, str]
    ) -> None:
        draft = {
            "kind": kind, "name": bot, "settings": settings, "secrets": secrets,
            "policy": POLICY,
        }  # fmt: skip
        await self.admin.call("PUT", f"/bots/{bot}", draft)
        told = await self.admin.call("POST", f"/bots/{bot}/test", {})
        assert told["is_ok"], told
        await self.admin.call("POST", f"/bots/{bot}/publish")

    async def hires(self, stack: AsyncExitStack, login: str, team: str) -> int:
        """An agent of that team, at work from now on."""
        body = {"login": login, "name": login.title(), "role": "agent"}
        made = await self.admin.call("POST", "/users", body)
        members = {"members": [made["user"]["id"]]}
        await self.admin.call("PATCH", f"/teams/{self.teams[team]}", members)
        api = Api(self.admin.url)
        await api.sign_in(login, made["password"], PASSWORD)
        client = await stack.enter_async_context(Client(api.url, token=api.ticket))
        await client.ready()
        return int(made["user"]["id"])

    async def visitor(self, stack: AsyncExitStack) -> "Visitor":
        token, conversation = await self.admin.visitor()
        visitor = Visitor(self, conversation)
        visitor.client = await stack.enter_async_context(
            Client(self.admin.url, token=token, on_frame=visitor.hears)
        )
        await visitor.client.ready()
        return visitor


class Visitor:
    """Somebody with a question."""

    client: Client

    def __init__(self, shop: Shop, conversation: int) -> None:
        self.shop = shop
        self.conversation = conversation
        self.answers: list[str] = []
        self._heard = asyncio.Event()

    def hears(self, frame: DownFrame) -> None:
        if isinstance(frame, Entry) and frame.type == EntryType.ANSWER:
            assert isinstance(frame.body, dict)
            self.answers.append(frame.body["text"])
            self._heard.set()

    async def asks(self, text: str) -> str:
        """Say it; what is answered."""
        self._heard.clear()
        await self.client.send(self.conversation, text)
        async with asyncio.timeout(WITHIN_S):
            await self._heard.wait()
        return self.answers[-1]

    async def gets_somebody(self) -> dict[str, Any]:
        """Where the conversation stands once a person has it."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                told = await self.shop.admin.call("GET", f"/conversations/{self.conversation}")
                shown: dict[str, Any] = told["conversation"]
                if shown["status"] == "open":
                    return shown
                await asyncio.sleep(0.1)


async def furnish(data: Path, furnished: Furnished) -> None:
    """A data folder in which that flow is published."""
    await asyncio.to_thread(shutil.copytree, furnished.data, data)
    database = await Database.open(data / "qingniao.db")
    flows = Flows(database)
    await flows.save_draft(AFTER_SALES, name="test", graph=FLOW, now_ms=1)
    await flows.publish(AFTER_SALES, 1)
    await database.close()


@pytest.fixture
async def shop(
    start_server: StartServer, start_double: StartDouble, furnished: Furnished, tmp_path: Path
) -> AsyncIterator[Shop]:
    await furnish(tmp_path / "shop", furnished)
    sorter, router = await start_double(FastGPTDouble), await start_double(CozeDouble)
    server = await start_server(
        tmp_path / "shop", QINGNIAO_OUTGOING_ALLOW="127.0.0.1", QINGNIAO_LOG_LEVEL="info"
    )
    shop = Shop(server.url, sorter, router)
    await shop.open(server.password)
    yield shop


async def test_fastgpt_decides_the_way_and_coze_the_team(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        returns = await shop.hires(stack, "li", "售后组")
        parcels = await shop.hires(stack, "wang", "物流组")

        asking = await shop.visitor(stack)
        assert await asking.asks("快递几天能到") == DELIVERY
        assert [
            one.request.path for one in shop.router.exchanges if "chat" in one.request.path
        ] == []

        # The same agents are free each time: only the team tells them apart.
        for text, agent, team in (
            ("怎么退货", returns, "售后组"),
            ("我的快递到哪了？转人工", parcels, "物流组"),
            ("衣服有质量问题怎么办", returns, "售后组"),
        ):
            visitor = await shop.visitor(stack)
            assert await visitor.asks(text) == "正在为您转接。"
            shown = await visitor.gets_somebody()
            assert (shown["assignee"]["id"], shown["team"]["name"]) == (agent, team), text
        assert any("chat" in one.request.path for one in shop.router.exchanges)


TROUBLES: Final = ("repeat", "garbage", "html", "status:503", "empty", "truncate", "hang")
"""What a platform may do instead of an answer: babble, break off, be away, say nothing for ever."""


async def test_sorter_that_fails_or_babbles_leaves_it_to_our_own(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        for trouble in TROUBLES:
            shop.sorter.play(trouble)
            before = len(shop.sorter.exchanges)
            visitor = await shop.visitor(stack)
            assert await visitor.asks("你好") == OURS, trouble
            assert len(shop.sorter.exchanges) > before, f"it was asked before {trouble}"
        shop.sorter.play("status:503")
        await shop.hires(stack, "li", "售后组")
        assert await visitor.asks("转人工") == "正在为您转接。"
        assert (await visitor.gets_somebody())["why"] == "rule"


async def test_router_that_fails_leaves_it_to_everybody(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        agents = {
            await shop.hires(stack, "li", "售后组"),
            await shop.hires(stack, "wang", "物流组"),
        }
        given = set()
        # Coze tells the whole answer once more at its end: said twice, it is still understood.
        for trouble in TROUBLES[1:]:
            shop.router.play(trouble)
            visitor = await shop.visitor(stack)
            assert await visitor.asks("怎么退货") == "正在为您转接。", trouble
            shown = await visitor.gets_somebody()
            assert shown["team"] is None, trouble
            given.add(shown["assignee"]["id"])
        assert given == agents, "whoever is least busy, of both teams"


async def test_chosen_team_that_nobody_is_in_leaves_it_to_everybody(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        parcels = await shop.hires(stack, "wang", "物流组")
        visitor = await shop.visitor(stack)
        await visitor.asks("怎么退货")
        shown = await visitor.gets_somebody()
        assert (shown["assignee"]["id"], shown["team"]["name"]) == (parcels, "售后组")
        # Who is deleted is no longer offered to Coze, and without any there is nothing to choose.
        for gone, left in (("售后组", "物流组"), ("物流组", None)):
            await shop.admin.call("DELETE", f"/teams/{shop.teams[gone]}")
            visitor = await shop.visitor(stack)
            await visitor.asks("怎么退货")
            shown = await visitor.gets_somebody()
            assert (shown["team"] or {"name": None})["name"] == left
            assert shown["assignee"]["id"] == parcels
