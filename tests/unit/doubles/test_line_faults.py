"""Every way in which a line may fail, as a client sees it."""

import asyncio
import json

import httpx
import pytest
from doubles_house import StartDouble

from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.scenario import COMMON, LINE
from qingniao.errors import ConfigError

QUESTION = "怎么退货？"


@pytest.fixture
async def double(start_double: StartDouble) -> OpenAIDouble:
    return await start_double(OpenAIDouble)


@pytest.fixture
def ask(double, client):
    async def ask(words: str = "", **more):
        body = {
            "model": "gpt-4o-mini",
            "stream": True,
            "messages": [{"role": "user", "content": f"{QUESTION} {words}"}],
        }
        url = f"{double.base_url}/chat/completions"
        return await client.ask("POST", url, body, key=double.key, **more)

    return ask


def _said(heard) -> str:
    return "".join(
        data["choices"][0]["delta"].get("content") or ""
        for _, data in heard.events
        if isinstance(data, dict) and data.get("choices")
    )


async def test_same_request_gets_the_same_answer(ask, faq) -> None:
    first, second = await ask(), await ask()
    assert _said(first) == _said(second) == faq.by_id["s01-01"].answer
    assert len(first.pieces) > 10


async def test_split_tears_characters_apart(ask, faq) -> None:
    heard = await ask("[[split]]")
    torn = 0
    for piece in heard.pieces:
        assert len(piece) <= 7
        try:
            piece.decode()
        except UnicodeDecodeError:
            torn += 1
    assert torn > 100
    assert _said(heard) == faq.by_id["s01-01"].answer


async def test_truncated_stream_ends_properly_without_its_end(ask, faq) -> None:
    heard = await ask("[[truncate]]")
    assert heard.failure is None
    assert heard.events[-1][1] != "[DONE]"
    assert 0 < len(_said(heard)) < len(faq.by_id["s01-01"].answer)


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        ("cut", httpx.RemoteProtocolError),
        ("reset", httpx.ReadError),
        ("reset-midway", httpx.ReadError),
        ("hang", httpx.ReadTimeout),
        ("hang-midway", httpx.ReadTimeout),
        ("stall", httpx.ReadTimeout),
    ],
)
async def test_broken_line_breaks(ask, words: str, failure: type[Exception]) -> None:
    heard = await ask(f"[[{words}]]", timeout=0.3)
    assert isinstance(heard.failure, failure), heard.failure
    assert bool(heard.raw) == (words not in ("reset", "hang"))


async def test_pings_keep_a_stalled_stream_busy(start_double: StartDouble, client) -> None:
    double = await start_double(OpenAIDouble, dialect="deepseek", ping_s=0.02)
    body = {
        "model": "deepseek-chat",
        "stream": True,
        "messages": [{"role": "user", "content": "你好 [[stall]]"}],
    }
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            # Pings come more often than this, so the client's own limit never strikes.
            url = f"{double.base_url}/chat/completions"
            await client.ask("POST", url, body, key=double.key, timeout=0.3)


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        ("garbage", 200, "text/event-stream"),
        ("html", 200, "text/html; charset=utf-8"),
        ("html:502", 502, "text/html; charset=utf-8"),
        ("status:503", 503, "text/plain"),
        ("redirect", 302, "text/plain"),
    ],
)
async def test_something_else_is_answered(ask, words: str, status: int, kind: str) -> None:
    heard = await ask(f"[[{words}]]")
    assert (heard.status, heard.headers["content-type"]) == (status, kind)
    assert ("location" in heard.headers) == (words == "redirect")


async def test_garbage_midway_leaves_the_rest_whole(ask) -> None:
    heard = await ask("[[garbage-midway]]")
    with pytest.raises(UnicodeDecodeError):
        heard.raw.decode()
    assert heard.raw.endswith(b"data: [DONE]\n\n")


async def test_again_says_everything_twice(ask) -> None:
    heard = await ask("[[again]]")
    assert [data for _, data in heard.events].count("[DONE]") == 2


async def test_crlf_ends_every_line(ask) -> None:
    heard = await ask("[[crlf]]")
    assert heard.raw.count(b"\n") == heard.raw.count(b"\r\n") > 10


async def test_scripts_add_up(ask, faq) -> None:
    heard = await ask("[[split crlf]] [[drip:0]]")
    assert max(map(len, heard.pieces)) <= 7
    assert _said(heard) == faq.by_id["s01-01"].answer


async def test_unknown_word_is_said_to_be_unknown(ask) -> None:
    assert "trunkate" in _said(await ask("[[trunkate]]"))


async def test_client_that_leaves_is_noticed(double, ask) -> None:
    await ask("[[hang]]", timeout=0.1)
    async with asyncio.timeout(5):
        while double.exchanges[-1].outcome == "open":
            await asyncio.sleep(0.01)
    assert double.exchanges[-1].outcome == "left"
    assert double.exchanges[-1].status == 0


async def test_script_from_outside_holds_for_so_many(double, ask, client) -> None:
    control = f"{double.url}/double"
    heard = await client.ask("PUT", f"{control}?times=2&path=chat", content=b"status:503")
    assert heard.json["playing"] == [{"script": {"status": "503"}, "left": 2, "path": "chat"}]
    models = await client.ask("GET", f"{double.base_url}/models", key=double.key)
    assert [models.status, *[(await ask()).status for _ in range(3)]] == [200, 503, 503, 200]
    told = (await client.ask("GET", control)).json
    assert [one["status"] for one in told["asked"]] == [200, 503, 503, 200]


async def test_scripts_for_so_many_go_before_the_newest_for_all(double, ask) -> None:
    for words, times in (
        ("status:500", 0),
        ("status:501", 1),
        ("status:502", 0),
        ("status:503", 1),
    ):
        double.play(words, times=times)
    assert [(await ask()).status for _ in range(4)] == [501, 503, 502, 502]


async def test_scripts_from_outside_are_bounded(double) -> None:
    for _ in range(100):
        double.play("html", times=1)
    with pytest.raises(ConfigError, match="100 scripts"):
        double.play("html")
    double.play_nothing()
    double.play("html")


async def test_script_from_outside_can_be_taken_away(double, ask, client) -> None:
    await client.ask("PUT", f"{double.url}/double", content=b"html")
    assert (await ask()).headers["content-type"].startswith("text/html")
    await client.ask("DELETE", f"{double.url}/double")
    assert (await ask()).headers["content-type"].startswith("text/event-stream")


async def test_control_refuses_what_it_does_not_know(double, client) -> None:
    heard = await client.ask("PUT", f"{double.url}/double", content=b"hangs")
    assert heard.status == 400
    assert "hangs" in heard.json["error"]
    with pytest.raises(ConfigError, match="hang-midway"):
        double.play("hangs")


async def test_every_common_scenario_does_something(ask) -> None:
    """Whatever the name promises, a plain answer is not what comes."""
    plain = _shape(await ask())
    alike = []
    for name in {**LINE, **COMMON}:
        if name in ("drip", "slow", "wait"):
            continue  # the same bytes, later
        heard = await ask(f"[[{name}]]", timeout=0.3)
        if heard.failure is None and _shape(heard) == plain:
            alike.append(name)
    # A form is for platforms that have one, and this dialect does not tell its thoughts.
    assert alike == ["form", "reasoning"]


def _shape(heard) -> object:
    """What of an answer is not an id or a time."""
    if not heard.headers["content-type"].startswith("text/event-stream"):
        return heard.raw
    try:
        text = heard.text
    except UnicodeDecodeError:
        return heard.raw
    pieces = text.split("\n\n"), len(heard.pieces)
    return json.dumps([[part.partition('"choices"')[2] for part in pieces[0]], pieces[1]])


async def test_several_requests_on_one_connection(double) -> None:
    """Also when the second is sent before the first was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(double.url.rpartition(":")[2]))
    head = f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {double.key}\r\n\r\n"
    writer.write(head.encode() * 2)
    async with asyncio.timeout(5):
        for _ in range(2):
            answer = await reader.readuntil(b"]}")
            assert answer.startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


async def test_nonsense_instead_of_http_ends_the_connection(double) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(double.url.rpartition(":")[2]))
    writer.write(b"\x16\x03\x01 not http\r\n\r\n")
    async with asyncio.timeout(5):
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
