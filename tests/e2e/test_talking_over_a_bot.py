"""Somebody speaks while a bot writes, in the whole product: the visitor writes on, or a person has
been called and the bot comes too late."""

import asyncio
from typing import Any

import pytest
from bot_street import Onlooker, administrator, agents_view, leave, publish, steps_of

from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.faq import Faq
from qingniao.protocol.frames import EntryType

pytestmark = pytest.mark.e2e

SETTINGS = {"QINGNIAO_AI_BOT": "shop", "QINGNIAO_OUTGOING_ALLOW": "127.0.0.1"}


async def reading(server: Any) -> Onlooker:
    """A visitor who sees the beginning of the platform's answer."""
    for _ in range(20):
        (visitor,) = await Onlooker.come(server, 1)
        await visitor.ask()
        await visitor.until(lambda v: v.is_served or v.drafts)
        if visitor.drafts:
            return visitor
        await leave([visitor])
    raise AssertionError("the bot was never asked")


@pytest.mark.parametrize("policy", ["queue", "cancel"])
async def test_visitor_who_writes_on(
    start_server: Any, start_double: Any, faq: Faq, policy: str
) -> None:
    double = await start_double(DifyDouble, pace_s=0.05)
    server = await start_server(**SETTINGS, QINGNIAO_AI_WHILE_ANSWERING=policy)
    api = await administrator(server)
    settings = {"base_url": double.base_url}
    await publish(api, "dify", settings, {"key": "app-double-chat"})
    visitor = await reading(server)
    await visitor.ask("怎么换货")
    if policy == "cancel":
        await visitor.until(lambda v: v.is_served)
        assert visitor.withdrawn, "the first answer was stopped and taken back"
        assert len(visitor.answers) == 1
        asked = [one.request.body for one in double.exchanges if b"\\n" in one.request.body]
        assert len(asked) == 1, "both messages are one question"
        (entries,) = (await agents_view(api, [visitor.conversation], 4)).values()
        assert [step["answers"] for step in steps_of(entries)] == [2]
        stops = [one for one in double.exchanges if one.request.path.endswith("/stop")]
        assert len(stops) == 1
    else:
        await visitor.until(lambda v: len(v.answers) == 2)
        assert visitor.withdrawn == []
        assert visitor.answers[0]["text"] == faq.by_id["s01-01"].answer
        (entries,) = (await agents_view(api, [visitor.conversation], 6)).values()
        assert [step["answers"] for step in steps_of(entries)] == [1, 2]
    await leave([visitor])


async def test_late_answer_after_a_handoff_is_dropped_and_recorded(
    start_server: Any, start_double: Any
) -> None:
    double = await start_double(DifyDouble, pace_s=0.05)
    server = await start_server(**SETTINGS)
    api = await administrator(server)
    await publish(api, "dify", {"base_url": double.base_url}, {"key": "app-double-chat"})
    visitor = await reading(server)
    await visitor.client.send(visitor.conversation, {"do": "handoff"}, EntryType.ACTION)
    await visitor.until(lambda v: v.status == "waiting" and not v.drafts)
    assert visitor.withdrawn
    (entries,) = (await agents_view(api, [visitor.conversation], 4)).values()
    (step,) = steps_of(entries)
    assert step["dropped"] == "owned"
    assert step["trace"][-1]["kind"] == "taken"
    assert visitor.answers == []
    async with asyncio.timeout(5):
        while not any(one.request.path.endswith("/stop") for one in double.exchanges):
            await asyncio.sleep(0.05)
    await leave([visitor])
