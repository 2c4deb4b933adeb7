"""Bytes on the wire for one message and its ack: our frames beside JSON and beside HTTP.

Counted on real sockets through a byte-counting relay on loopback: a message of 120 bytes of text
from a visitor whose conversation a person has, and the answer that says it is stored; what the
agent gets of it is `entry_bytes`. HTTP is the same message posted by a real Chromium, with `fetch`
from a page of another origin, a bearer token and no cookie, over a connection that is kept; its
answer has the headers of our own HTTP interface (`wire/http_side.py`). The preflight, which a
browser repeats every two hours, is `http_preflight_bytes` and not in the figure;
`http_json_bare_bytes` is a client that sends only the headers that are needed. Where no Chromium
can be driven the browser's headers come from a list, and `http_client` says so.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.run import Goal
from bench.wire.http_side import answering, browser_posts, has_chromium, page, plain_posts
from qingniao.client import Client
from qingniao.protocol.codec import JSON, MSGPACK, Codec
from qingniao.replay.house import Api, OwnServer
from qingniao.testing.relay import Relay, hung_up

__all__ = ["GOALS", "measure"]

GOALS: Final = {"ours_percent_of_http": Goal("<=", 12)}

TEXT: Final = "您好，请问上周买的外套可以换大一码吗？吊牌还在，没有穿过，谢谢您。" + "x" * 21
_MESSAGES: Final = 50


class _Counter(Relay):
    """Passes everything on to `target`, and counts it each way."""

    def __init__(self, target: int) -> None:
        super().__init__()
        self.up = self.down = 0
        self._target = target

    def since(self, before: tuple[int, int]) -> tuple[float, float]:
        """Bytes a message since then: up, down."""
        up, down = self.up - before[0], self.down - before[1]
        return round(up / _MESSAGES, 1), round(down / _MESSAGES, 1)

    def now(self) -> tuple[int, int]:
        """Up, down."""
        return self.up, self.down

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._pipe(reader, back, "up"), self._pipe(there, writer, "down"))
        finally:
            await hung_up((writer, back))

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> None:
        try:
            while data := await reader.read(65_536):
                setattr(self, name, getattr(self, name) + len(data))
                writer.write(data)
        except ConnectionError:
            pass  # one side has gone: so does the other
        finally:
            writer.close()


def measure(quick: bool) -> Mapping[str, object]:
    """Bytes a message, up and down together; the parts beside them."""
    assert len(TEXT.encode()) == 120
    ours, entry, as_json = asyncio.run(_websockets())
    over_http = asyncio.run(_http())
    up, down = over_http["up"], over_http["down"]
    total = round(sum(ours), 1)
    return {
        "ours_bytes": total,
        "ours_send_bytes": ours[0],
        "ours_ack_bytes": ours[1],
        "entry_bytes": entry,
        "websocket_json_bytes": round(sum(as_json), 1),
        "http_json_bytes": round(up + down, 1),
        "http_request_bytes": up,
        "http_answer_bytes": down,
        "http_preflight_bytes": over_http["preflight"],
        "http_json_bare_bytes": over_http["bare"],
        "http_client": over_http["client"],
        "ours_percent_of_http": round(total / (up + down) * 100, 1),
        "ours_percent_of_bare_http": round(total / over_http["bare"] * 100, 1),
        "text_bytes": len(TEXT.encode()),
        "messages": _MESSAGES,
    }


async def _websockets() -> tuple[tuple[float, float], float, tuple[float, float]]:
    async with OwnServer({"QINGNIAO_LOG_LEVEL": "error", "QINGNIAO_WIRE_RATE": "1000"}) as server:
        api = Api(server.url)
        await api.sign_in("admin", server.password, "bench-bench-7391")
        ours, entry = await _with(MSGPACK, server, api)
        as_json, _ = await _with(JSON, server, api)
        return ours, entry, as_json


async def _with(codec: Codec, server: OwnServer, api: Api) -> tuple[tuple[float, float], float]:
    """Bytes a message: up and down at the visitor's, and down at the agent's."""
    token, conversation = await api.visitor()
    port = int(server.url.rpartition(":")[2])
    async with (
        _Counter(port) as visitors,
        _Counter(port) as agents,
        Client(f"http://127.0.0.1:{visitors.port}", token=token, codec=codec) as visitor,
        Client(f"http://127.0.0.1:{agents.port}", token=api.ticket, codec=codec) as agent,
    ):
        await visitor.ready()
        await agent.ready()
        await visitor.send(conversation, "在吗")
        agent.follow(conversation)
        await agent.send(conversation, "您好")
        await asyncio.sleep(0.5)  # what else was on its way has come
        at_visitor, at_agent = visitors.now(), agents.now()
        for _ in range(_MESSAGES):
            await visitor.send(conversation, TEXT)
        counted = visitors.since(at_visitor)
        await asyncio.sleep(0.3)
        return counted, agents.since(at_agent)[1]


async def _http() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as empty:
        async with answering(Path(empty)) as server, _Counter(server) as counter:
            async with _Counter(server) as bare:
                await asyncio.to_thread(plain_posts, bare.port, _MESSAGES, TEXT, headers=False)
            before = counter.now()
            if has_chromium():

                async def mark() -> None:
                    nonlocal before
                    before = counter.now()

                async with page() as shop:
                    version = await browser_posts(shop, counter.port, _MESSAGES, TEXT, mark)
                client = f"Chromium {version}"
            else:
                print("No Chromium can be driven here: its headers are a list.", file=sys.stderr)
                await asyncio.to_thread(plain_posts, counter.port, _MESSAGES, TEXT, headers=True)
                client = "a list of headers"
            up, down = counter.since(before)
    return {
        "up": up,
        "down": down,
        "preflight": round(sum(before) - up - down) if sum(before) else 0,
        "bare": round(sum(bare.since((0, 0))), 1),
        "client": client,
    }
