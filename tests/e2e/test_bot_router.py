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
from team_shop import Shop

from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.double import Double
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.flow.samples import AFTER_SALES
from qingniao.storage.database import Database
from qingniao.storage.flows import Flows
from qingniao.testing.servers import Furnished

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

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


class RoutedShop(Shop):
    """With both platforms."""

    def __init__(self, url: str, sorter: Double, router: Double) -> None:
        super().__init__(url)
        self.sorter, self.router = sorter, router

    async def open(self, one_time_password: str) -> None:
        await super().open(one_time_password)
        key = {"key": "fastgpt-double-classifier"}
        await self.publish("sorter", "fastgpt", {"base_url": f"{self.sorter.url}/api"}, key)
        settings = {"base_url": self.router.url, "bot": "7380000000000000002"}
        await self.publish("teams", "coze", settings, {"token": "pat_double"})


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
) -> AsyncIterator[RoutedShop]:
    await furnish(tmp_path / "shop", furnished)
    sorter, router = await start_double(FastGPTDouble), await start_double(CozeDouble)
    server = await start_server(
        tmp_path / "shop", QINGNIAO_OUTGOING_ALLOW="127.0.0.1", QINGNIAO_LOG_LEVEL="info"
    )
    shop = RoutedShop(server.url, sorter, router)
    await shop.open(server.password)
    yield shop


async def test_fastgpt_decides_the_way_and_coze_the_team(shop: RoutedShop) -> None:
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


async def test_sorter_that_fails_or_babbles_leaves_it_to_our_own(shop: RoutedShop) -> None:
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


async def test_router_that_fails_leaves_it_to_everybody(shop: RoutedShop) -> None:
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


async def test_chosen_team_that_nobody_is_in_leaves_it_to_everybody(shop: RoutedShop) -> None:
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
