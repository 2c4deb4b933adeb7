"""What goes to a platform besides questions, in the whole product: the picture that a visitor sent,
and what the visitor thought of the answer."""

import asyncio
from typing import Any

import httpx
import pytest
from bot_street import Onlooker, administrator, agents_view, leave, publish, steps_of

from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.protocol.frames import EntryType

pytestmark = pytest.mark.e2e

SETTINGS = {"QINGNIAO_AI_BOT": "shop", "QINGNIAO_OUTGOING_ALLOW": "127.0.0.1"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


async def answered_by_platform(server: Any, file: bytes = b"") -> Onlooker:
    """A visitor with the platform's answer; with a `file`, sent before the question."""
    for _ in range(20):
        (visitor,) = await Onlooker.come(server, 1)
        if file:
            async with httpx.AsyncClient(trust_env=False) as http:
                told = await http.post(
                    f"{server.url}/api/v1/files",
                    files={"file": ("外套.png", file)},
                    headers={"authorization": f"Bearer {visitor.token}", "x-qingniao": "1"},
                )
            body = told.raise_for_status().json()["file"]
            await visitor.client.send(visitor.conversation, body, EntryType.FILE)
            await visitor.until(lambda v: v.is_served)
        await visitor.ask()
        await visitor.until(lambda v: v.answers and "bot" in v.answers[-1])
        if visitor.answers[-1]["bot"] == "shop":
            return visitor
        await leave([visitor])
    raise AssertionError("the bot was never asked")


async def rate(visitor: Onlooker, score: int) -> int:
    """Of the last answer; its `seq`."""
    of = next(e.seq for e in reversed(visitor.entries) if e.type == EntryType.ANSWER)
    body = {"score": score, "of": of}
    await visitor.client.send(visitor.conversation, body, EntryType.RATING)
    return of


async def told(double: Any, path: str, count: int) -> None:
    """Wait until the platform has heard so many ratings."""
    async with asyncio.timeout(20):
        while sum(path in one.request.path for one in double.exchanges) < count:
            await asyncio.sleep(0.05)


async def test_dify_sees_the_picture_and_hears_the_rating(
    start_server: Any, start_double: Any
) -> None:
    double = await start_double(DifyDouble)
    server = await start_server(**SETTINGS)
    api = await administrator(server)
    await publish(api, "dify", {"base_url": double.base_url}, {"key": "app-double-chat"})
    visitor = await answered_by_platform(server, PNG)
    assert "收到 1 个文件" in visitor.answers[-1]["text"]
    (upload,) = [e for e in double.exchanges if e.request.path.endswith("/files/upload")]
    assert PNG in upload.request.body
    # The platform fails once; the visitor changes their mind.
    double.play("status:503", times=1, path="/feedbacks")
    of = await rate(visitor, 5)
    await told(double, "/feedbacks", 2)
    await rate(visitor, 1)
    await told(double, "/feedbacks", 3)
    (feedback,) = double.store.feedbacks
    assert feedback.rating == "dislike"
    async with asyncio.timeout(10):
        while len(steps := steps_of((await agents_view(
            api, [visitor.conversation], visitor.entries[-1].seq
        ))[visitor.conversation])) < 4:  # fmt: skip
            await asyncio.sleep(0.2)
    stages = [step["trace"][0] for step in steps if "rated" in step]
    assert [(one["port"], one["verdict"], one["of"]) for one in stages] == [
        ("told", "good", of), ("told", "bad", of),
    ]  # fmt: skip
    # The conversation goes on as if nothing had been.
    await visitor.ask()
    await visitor.until(lambda v: len(v.answers) == 3)
    await leave([visitor])


async def test_fastgpt_hears_the_rating(start_server: Any, start_double: Any) -> None:
    double = await start_double(FastGPTDouble)
    (_, fields), *_ = double.fields()
    server = await start_server(**SETTINGS)
    api = await administrator(server)
    settings = {"base_url": double.base_url, "app": fields["app"]}
    await publish(api, "fastgpt", settings, {"key": fields["key"]})
    visitor = await answered_by_platform(server)
    await rate(visitor, 5)
    await told(double, "/updateUserFeedback", 1)
    (heard,) = [e for e in double.exchanges if e.request.path.endswith("/updateUserFeedback")]
    assert heard.status == 200
    assert b'"userGoodFeedback":"yes"' in heard.request.body
    await leave([visitor])
