"""A flow drawn over HTTP, in the whole product: it asks, fetches and waits through
power cuts, and conversations inside an old version finish there.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from bot_street import Onlooker, administrator, leave
from conftest import StartServer

from qingniao.errors import StartError
from qingniao.flow.formats import FORMAT
from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api, OwnServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ORDER: Final = "请告诉我订单号。"
STILL: Final = "还有什么可以帮您？"


def say(id: str, text: str) -> dict[str, Any]:
    return {"id": id, "kind": "say", "settings": {"text": {"zh-CN": text}}}


def drawing(shop: str, found: str, wait_s: float = 3.0) -> dict[str, Any]:
    """Ask for a number, look it up, tell it, and after a while ask whether all is well."""
    fetch = {
        "url": f"{shop}/orders/{{{{order}}}}",
        "headers": {"X-Key": "{{secret.key}}"},
        "take": {"state": "data.0.state"},
        "deadline_s": 5,
    }
    lines = (
        "start.asked > ask", "ask.captured > get", "ask.given_up > person", "get.done > tell",
        "get.failed > person", "tell.next > wait", "wait.elapsed > still", "still.next > rate",
        "rate.rated > bye", "rate.other > person", "bye.next > end",
    )  # fmt: skip
    edges = []
    for line in lines:
        way, _, target = line.partition(" > ")
        source, _, port = way.partition(".")
        edges.append({"source": source, "port": port, "target": target})
    return {
        "format": FORMAT,
        "fallback": {"zh-CN": "抱歉，马上请人来。"},
        "nodes": [
            {"id": "start", "kind": "start"},
            {"id": "ask", "kind": "ask",
             "settings": {"text": {"zh-CN": ORDER}, "into": "order", "form": "number"}},
            {"id": "get", "kind": "http", "settings": fetch},
            say("tell", found),
            {"id": "wait", "kind": "wait", "settings": {"for_s": wait_s}},
            say("still", STILL),
            {"id": "rate", "kind": "rating", "settings": {"text": {"zh-CN": "请打分"}}},
            say("bye", "谢谢 {{rating}} 分"),
            {"id": "person", "kind": "handoff",
             "settings": {"why": "unsure", "text": {"zh-CN": "正在转接"}}},
            {"id": "end", "kind": "end"},
        ],
        "edges": edges,
    }  # fmt: skip


class Shop:
    """Another machine that knows where orders are."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        content = '{"data": [{"state": "运输中"}]}'.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(content)
        writer.write(head + content)
        await writer.drain()
        writer.close()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield shop
    server.close()
    await server.wait_closed()


async def publish(api: Api, graph: dict[str, Any], began_from: int = 0) -> None:
    saved = await api.call("PUT", "/flows/after_sales", {"graph": graph, "began_from": began_from})
    assert saved["problems"] == []
    await api.call("POST", "/flows/after_sales/publish", {"began_from": saved["updated"]})


async def power_cut(server: OwnServer) -> None:
    """SIGKILL, and a start on the same port."""
    server.kill()
    await server.stop()
    await server.start(urlsplit(server.url).port or 0)


def texts(visitor: Onlooker) -> list[str]:
    return [str(answer["text"]) for answer in visitor.answers]


async def test_a_flow_is_drawn_and_walked_through_power_cuts_and_versions(
    start_server: StartServer, shop: Shop
) -> None:
    server = await start_server(QINGNIAO_OUTGOING_ALLOW="127.0.0.1")
    api = await administrator(server)
    secret = {"origin": shop.url, "name": "key", "secret": "s3cret-key"}
    await api.call("PUT", "/flows/secrets", secret)
    await publish(api, drawing(shop.url, "订单 {{order}}：{{state}}"))
    first, late = await Onlooker.come(server, 2)

    await first.ask("我的快递呢")
    await late.ask("我的快递呢")
    for visitor in (first, late):
        await visitor.until(lambda v: texts(v) == [ORDER])
    await power_cut(server)

    await first.ask("单号是 10086")
    await first.until(lambda v: len(v.answers) == 2, within_s=40)
    assert texts(first)[-1] == "订单 10086：运输中"
    assert "GET /orders/10086 " in shop.asked[0]
    assert "X-Key: s3cret-key" in shop.asked[0]
    await power_cut(server)
    await first.until(lambda v: len(v.answers) == 4, within_s=40)
    assert texts(first)[2:] == [STILL, "请打分"]

    # A new version, while `late` is inside the old one: it finishes there, newcomers do not.
    await publish(api, drawing(shop.url, "新版：{{state}}", wait_s=600.0))
    await late.ask("10010")
    await late.until(lambda v: len(v.answers) == 2)
    assert texts(late)[1] == "订单 10010：运输中"
    (newcomer,) = await Onlooker.come(server, 1)
    await newcomer.ask("我的快递呢")
    await newcomer.until(lambda v: len(v.answers) == 1)
    await newcomer.ask("1")
    await newcomer.until(lambda v: len(v.answers) == 2)
    assert texts(newcomer)[1] == "新版：运输中"

    await first.ask("5")
    await first.until(lambda v: len(v.answers) == 5)
    assert texts(first)[-1] == "谢谢 5 分"
    ratings = [entry.body for entry in first.entries if entry.type == EntryType.RATING]
    assert ratings == [{"score": 5}]

    await api.call("POST", "/flows/after_sales/rollback", {"version": 2})
    (again,) = await Onlooker.come(server, 1)
    await again.ask("我的快递呢")
    await again.until(lambda v: len(v.answers) == 1)
    await again.ask("2")
    await again.until(lambda v: len(v.answers) == 2)
    assert texts(again)[1] == "订单 2：运输中"

    with pytest.raises(StartError, match="draft_changed"):
        await publish(api, drawing(shop.url, "谁也没看过"), began_from=1)
    tried = await api.call("POST", "/flows/after_sales/try", {"text": "你好"})
    assert [step["node"] for step in tried["steps"]] == ["start", "ask"]
    counted: dict[str, dict[str, int]] = {}
    async with asyncio.timeout(20):
        # Sums lag a little; of the first version all of it happened long ago.
        while counted.get("get", {}).get("done") != 2:
            await asyncio.sleep(0.1)
            told = await api.call("GET", "/flows/after_sales/counts?version=2")
            counted = told["nodes"]
    assert counted["ask"] == {"": 2, "captured": 2}
    await leave([first, late, newcomer, again])
