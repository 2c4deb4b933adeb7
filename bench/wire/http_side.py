"""The same message over HTTP: a server that answers as our product's interface does, and whoever
posts to it.

Owns both ends and the page that the browser's request comes from; refuses to count. Rule: what is
not the message is not ours: the browser writes its headers, and Litestar behind the product's own
edge, on uvicorn as the product sets it up, writes the answer's.
"""

import asyncio
import http.client
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from litestar import Litestar, post
from litestar.params import JSONBody
from msgspec import Struct

from qingniao.api import edge
from qingniao.api.web_folder import WebFolder
from qingniao.config import GatewayConfig
from qingniao.errors import StartError
from qingniao.gateway.front import Front

__all__ = ["TOKEN", "answering", "browser_posts", "has_chromium", "page", "plain_posts"]

TOKEN: Final = "AXYBAAAAAAAAA-lr8R44eTZ0dzljanhwOHp0riS1hGkZyjrN9_pxYvoDoQ"
_PATH: Final = "/api/v1/messages"
_SCRIPT: Final = Path(__file__).parent / "post.mjs"
_NODE: Final = Path(__file__).parents[2] / "web" / "node.sh"
_DEADLINE_S: Final = 40.0
_HEADERS: Final = {
    "Host": "chat.example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept": "*/*",
    "Accept-Language": "zh-CN",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Content-Type": "application/json",
    "Origin": "https://shop.example.com",
    "Referer": "https://shop.example.com/",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
    "Authorization": f"Bearer {TOKEN}",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
}
"""What a browser sends, written down by hand: for where there is none."""


class _Message(Struct):
    conversation: int
    client_id: str
    type: str
    text: str


class _Stored(Struct):
    id: str
    seq: int
    time: int


@post(_PATH, status_code=201)
async def _take(data: JSONBody[_Message]) -> _Stored:
    return _Stored("0193f0c2-5f0e-7c4e-9d0a-3f6f0d9b2a11", 9, 1_795_500_000_000)


@asynccontextmanager
async def answering(folder: Path) -> AsyncIterator[int]:
    """A port where messages can be posted, from any page."""
    inner = Litestar([_take], logging_config=None, openapi_config=None)
    public = edge._PUBLIC
    edge._PUBLIC = public | {_PATH}  # type: ignore[misc]
    front = Front(GatewayConfig(), edge.Edge(inner, WebFolder(folder)))
    server = await asyncio.get_running_loop().create_server(front.http, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        edge._PUBLIC = public  # type: ignore[misc]
        server.close()
        for connection in list(front.http_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.05)  # one turn of the loop closes the sockets


@asynccontextmanager
async def page() -> AsyncIterator[int]:
    """A port with an empty page: the shop that the widget is on."""
    said = b"<!doctype html><title>shop</title>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(said)}\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(head.encode() + said)
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass  # the browser has gone
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def has_chromium() -> bool:
    """Can a browser be driven here?"""
    driver = _NODE.parent / "node_modules" / "playwright-core"
    return bool(shutil.which("chromium")) and driver.exists()


async def browser_posts(
    shop: int, chat: int, count: int, text: str, mark: Callable[[], Awaitable[None]]
) -> str:
    """A real Chromium posts one message, then, after `mark`, `count` more; its version.

    Names under `localhost` are secure origins without TLS, so the browser sends what it would over
    TLS; these two are as long with their ports as `chat.example.com` and `https://shop.example.com`
    nearly are. Raises `StartError` with what the browser's driver said.
    """
    child = await asyncio.create_subprocess_exec(
        "bash", str(_NODE), "node", str(_SCRIPT), f"http://s.localhost:{shop}/products/1041",
        f"http://c.localhost:{chat}{_PATH}", str(count), TOKEN, text,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise StartError("The browser's driver cannot be talked to.")
    try:
        async with asyncio.timeout(_DEADLINE_S):
            version = (await child.stdout.readline()).decode()
            if await child.stdout.readline() == b"warm\n":
                await mark()
                child.stdin.write(b"go\n")
                if await child.stdout.readline() == b"done\n":
                    return version.split()[-1]
            raise StartError(f"The browser: {(await child.stderr.read()).decode()[-800:]}")
    except TimeoutError as exc:
        raise StartError("The browser did not send its messages in time.") from exc
    finally:
        await _ended(child)


async def _ended(child: asyncio.subprocess.Process) -> None:
    """It closes its browser by itself; only if it hangs it is killed."""
    try:
        async with asyncio.timeout(10):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


def plain_posts(port: int, count: int, text: str, *, headers: bool) -> None:
    """The same from Python, with a browser's headers written by hand or with none but what is
    needed."""
    needed = ("Host", "Content-Type", "Authorization")
    sent = {name: value for name, value in _HEADERS.items() if headers or name in needed}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for number in range(count):
            message: dict[str, Any] = {
                "conversation": 1041,
                "client_id": f"0193f0c2-5f0e-7c4e-9d0a-{number:012x}",
                "type": "text",
                "text": text,
            }
            body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
            connection.request("POST", _PATH, body, sent)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise StartError(f"The server said {answer.status}.")
    finally:
        connection.close()
