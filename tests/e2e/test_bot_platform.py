"""A bot platform in the whole product: added over HTTP, published, and answering a visitor."""

import asyncio
import subprocess
import sys
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qingniao.doubles.dify import DifyDouble
from qingniao.replay.house import OwnServer

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parents[2] / "examples" / "tiny_client.py"


class Admin:
    """An administrator's browser, as far as these calls need one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  our own server
            f"{self._url}/api/v1{path}", method=method,
            data=msgspec.json.encode(body if body is not None else {}),
            headers={"content-type": "application/json", "x-qingniao": "1"},
        )  # fmt: skip
        with self._opener.open(request, timeout=30) as answer:
            return msgspec.json.decode(answer.read() or b"null")

    def sign_in(self, password: str) -> None:
        self.call("POST", "/session", {"login": "admin", "password": password})
        body = {"current": password, "new": "a password of my own"}
        self.call("POST", "/session/password", body)


async def test_dify_answers_a_visitor(start_double, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    double = await start_double(DifyDouble)
    settings = {"QINGNIAO_AI_BOT": "shop", "QINGNIAO_OUTGOING_ALLOW": "127.0.0.1"}
    async with OwnServer(settings, tmp_path / "data") as server:
        admin = Admin(server.url)

        def publish() -> None:
            admin.sign_in(server.password)
            draft = {
                "kind": "dify", "name": "Shop", "settings": {"base_url": double.base_url},
                "secrets": {"key": "app-double-chat"},
            }  # fmt: skip
            admin.call("PUT", "/bots/shop", draft)
            assert admin.call("POST", "/bots/shop/test")["is_ok"]
            admin.call("POST", "/bots/shop/publish")

        await asyncio.to_thread(publish)
        for _ in range(20):
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, str(CLIENT), server.url, "怎么退货"],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            if double.exchanges[-1].request.path.endswith("/chat-messages"):
                break
        assert done.returncode == 0, done.stderr
        assert "自签收之日起 7 天内" in done.stdout
        asked = [one for one in double.exchanges if one.request.path.endswith("/chat-messages")]
        assert len(asked) == 1
        (stored,) = (tmp_path / "data").glob("qingniao.db")
        assert b"app-double-chat" not in stored.read_bytes()
