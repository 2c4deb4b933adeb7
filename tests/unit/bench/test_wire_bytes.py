"""The HTTP side of `wire-bytes` answers as the product does, and its figure says who asked."""

import asyncio
import http.client
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench import wire_bytes  # noqa: E402  the benches are not part of the package
from bench.wire import http_side  # noqa: E402

from qingniao.api import edge  # noqa: E402


async def test_the_answer_has_the_headers_of_the_products_own_interface(tmp_path: Path) -> None:
    def ask(port: int) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        message = {"conversation": 1, "client_id": "a", "type": "text", "text": "在吗"}
        connection.request("POST", "/api/v1/messages", json.dumps(message))
        answer = connection.getresponse()
        said = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return said

    public = edge._PUBLIC
    async with http_side.answering(tmp_path) as port:
        status, headers, body = await asyncio.to_thread(ask, port)
    assert status == 201
    assert set(json.loads(body)) == {"id", "seq", "time"}
    expected = (*edge._ALWAYS, *edge._UNLESS_SAID, *edge._CORS)
    assert {(name.decode(), value.decode()) for name, value in expected} <= set(headers.items())
    assert not {"set-cookie", "server", "date"} & set(headers)
    assert edge._PUBLIC is public


async def test_without_a_browser_the_list_of_headers_is_sent_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wire_bytes, "has_chromium", lambda: False)
    found = await wire_bytes._http()
    assert found["client"] == "a list of headers"
    assert "No Chromium" in capsys.readouterr().err
    assert 900 < found["up"] + found["down"] < 1_500
    assert found["bare"] < found["up"] + found["down"]
    assert found["preflight"] == 0
