"""Bytes on the wire for one message and its ack: our frames beside JSON and beside HTTP.

Counted on real sockets through a byte-counting relay on loopback: a message of 120 bytes of text
from a visitor whose conversation a person has, up and down, with the answer that says it is stored.
HTTP is the same message as a POST with a browser's headers, no cookies, to a plain server.
"""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from bench.run import Goal
from qingniao.client import Client
from qingniao.protocol.codec import JSON, MSGPACK, Codec
from qingniao.replay.house import Api, OwnServer

__all__ = ["GOALS", "measure"]

GOALS: Final = {"ours_percent_of_http": Goal("<=", 12)}

TEXT: Final = "您好，请问上周买的外套可以换大一码吗？吊牌还在，没有穿过，谢谢您。" + "x" * 21
_MESSAGES: Final = 50
_BROWSER: Final = {
    "Host": "chat.example.com",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Content-Type": "application/json",
    "Origin": "https://shop.example.com",
    "Referer": "https://shop.example.com/products/1041",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
    "Authorization": "Bearer AXYBAAAAAAAAA-lr8R44eTZ0dzljanhwOHp0riS1hGkZyjrN9_pxYvoDoQ",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Windows"',
}


def measure(quick: bool) -> Mapping[str, object]:
    """Bytes a message, up and down together."""
    assert len(TEXT.encode()) == 120
    ours, as_json = asyncio.run(_websockets())
    over_http = _http()
    return {
        "ours_bytes": ours,
        "websocket_json_bytes": as_json,
        "http_json_bytes": over_http,
        "ours_percent_of_http": round(ours / over_http * 100, 1),
        "text_bytes": len(TEXT.encode()),
        "messages": _MESSAGES,
    }


class _Counter:
    def __init__(self) -> None:
        self.bytes = 0


@asynccontextmanager
async def _relay(port: int, counter: _Counter) -> AsyncIterator[int]:
    """A port that passes everything on to `port` and counts it, both ways."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            counter.bytes += len(data)
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, back), pipe(there, writer), return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _websockets() -> tuple[float, float]:
    async with OwnServer({"QINGNIAO_LOG_LEVEL": "error", "QINGNIAO_WIRE_RATE": "1000"}) as server:
        api = Api(server.url)
        await api.sign_in("admin", server.password, "bench-bench-7391")
        return await _with(MSGPACK, server, api), await _with(JSON, server, api)


async def _with(codec: Codec, server: OwnServer, api: Api) -> float:
    counter = _Counter()
    token, conversation = await api.visitor()
    async with _relay(int(server.url.rpartition(":")[2]), counter) as port:
        url = f"http://127.0.0.1:{port}"
        async with (
            Client(url, token=token, codec=codec) as visitor,
            Client(server.url, token=api.ticket) as agent,
        ):
            await visitor.ready()
            await agent.ready()
            await visitor.send(conversation, "在吗")
            await agent.send(conversation, "您好")
            await asyncio.sleep(0.5)  # what else was on its way has come
            before = counter.bytes
            for _ in range(_MESSAGES):
                await visitor.send(conversation, TEXT)
            return round((counter.bytes - before) / _MESSAGES, 1)


class _Stores(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"id":"0193f0c2-5f0e-7c4e-9d0a-3f6f0d9b2a11","seq":9,"time":1795500000000}'
        self.send_response(201)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


def _http() -> float:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stores)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        return asyncio.run(_posted(server.server_address[1]))
    finally:
        server.shutdown()


async def _posted(port: int) -> float:
    counter = _Counter()
    async with _relay(port, counter) as relay:
        await asyncio.to_thread(_post, relay)
    return round(counter.bytes / _MESSAGES, 1)


def _post(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(_MESSAGES):
        message = {
            "conversation": 1041,
            "client_id": f"0193f0c2-5f0e-7c4e-9d0a-{number:012x}",
            "type": "text",
            "text": TEXT,
        }
        connection.request(
            "POST", "/api/messages", json.dumps(message, ensure_ascii=False).encode(), _BROWSER
        )
        connection.getresponse().read()
    connection.close()
