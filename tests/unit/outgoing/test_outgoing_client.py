"""What goes wrong with another machine, and what is said about it."""

import asyncio

import pytest
from scripted_server import JSON, Says, ScriptedServer, says_json

from qingniao.outgoing.client import Ask, Outgoing, Upload
from qingniao.outgoing.errors import (
    AddressRefused,
    AnswerTooLong,
    BrokenOff,
    NoAnswer,
    OutgoingError,
    Redirected,
    Unreachable,
)


async def got(client: Outgoing, url: str, **more) -> bytes:  # type: ignore[no-untyped-def]
    async with client.ask(Ask(method="GET", url=url, **more)) as received:
        return await received.read(1_000)


async def test_request_carries_what_it_was_given(
    outgoing: Outgoing, scripted: ScriptedServer
) -> None:
    scripted.will(says_json({"a": 1}, set_cookie="s=1"), says_json({}))
    ask = Ask(
        method="POST", url=f"{scripted.url}/x?y=1", headers={"Authorization": "Bearer k"},
        params={"q": "退 货"}, body=b'{"b":2}',
    )  # fmt: skip
    async with outgoing.ask(ask) as received:
        assert (received.status, received.media_type) == (200, "application/json")
        assert await received.read() == b'{"a": 1}'
    await got(outgoing, f"{scripted.url}/again")
    first, second = scripted.asked
    assert (first.method, first.path) == ("POST", "/x?y=1&q=%E9%80%80+%E8%B4%A7")
    assert first.headers["authorization"] == "Bearer k"
    assert first.body == b'{"b":2}'
    assert "cookie" not in second.headers


async def test_upload_is_a_form(outgoing: Outgoing, scripted: ScriptedServer) -> None:
    scripted.will(says_json({}))
    upload = Upload(name="票.png", content=b"\x89PNG", media_type="image/png")
    ask = Ask(method="POST", url=scripted.url, form={"user": "v"}, upload=upload)
    async with outgoing.ask(ask):
        pass
    asked = scripted.asked[0]
    assert asked.headers["content-type"].startswith("multipart/form-data")
    assert b"\x89PNG" in asked.body
    assert b'name="user"' in asked.body


@pytest.mark.parametrize(
    ("says", "error", "sentence"),
    [
        (Says((b"{",), ends="cut"), BrokenOff, "broke off"),
        (Says((b"{",), ends="hang"), NoAnswer, "silent"),
        (Says((b"x" * 2_000,)), AnswerTooLong, "1,000"),
        (
            Says(status=302, headers=(("location", "http://169.254.169.254/x"),)),
            AddressRefused,
            "inside",
        ),
        (
            Says(status=308, headers=(("location", "https://elsewhere.example/?k=secret"),)),
            Redirected,
            r"points to elsewhere\.example",
        ),
        (Says(status=307, headers=(("location", "/v2"),)), Redirected, r"127\.0\.0\.1"),
    ],
)
async def test_faults(
    outgoing: Outgoing, scripted: ScriptedServer, says: Says, error: type[Exception], sentence: str
) -> None:
    scripted.will(says)
    with pytest.raises(error, match=sentence) as caught:
        await got(outgoing, scripted.url, idle_s=0.2)
    assert "secret" not in str(caught.value)
    assert len(scripted.asked) == 1


async def test_nobody_listening(outgoing: Outgoing, scripted: ScriptedServer) -> None:
    url = scripted.url
    await scripted.close()
    with pytest.raises(Unreachable, match="does not take connections"):
        await got(outgoing, url)


async def test_name_that_does_not_exist(outgoing: Outgoing) -> None:
    with pytest.raises(Unreachable):
        await got(outgoing, "http://nothing.invalid/")


async def test_not_http(outgoing: Outgoing) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="HTTP"):
        await got(outgoing, f"http://127.0.0.1:{port}/")
    server.close()


async def test_certificate_that_is_not_one(outgoing: Outgoing, scripted: ScriptedServer) -> None:
    with pytest.raises(OutgoingError):
        await got(outgoing, scripted.url.replace("http:", "https:"), connect_s=2)


async def test_leaving_early_closes_the_connection(
    outgoing: Outgoing, scripted: ScriptedServer
) -> None:
    scripted.will(Says((b"data: a\n\n",), ends="hang"))
    async with outgoing.ask(Ask(method="GET", url=scripted.url)) as received:
        assert await received.chunk()
    async with asyncio.timeout(5):
        while not scripted.closed_early:
            await asyncio.sleep(0.01)


async def test_close_twice(outgoing: Outgoing, scripted: ScriptedServer) -> None:
    scripted.will(Says((b"{}",), kind=JSON))
    assert await got(outgoing, scripted.url) == b"{}"
    await outgoing.close()
    await outgoing.close()
