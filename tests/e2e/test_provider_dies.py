"""A provider dies or hangs while 200 visitors read along, looked at on each of their screens: each
gets the next bot's whole answer or a person, none waits for ever, none is left with half an
answer."""

import asyncio
import re
import signal
from typing import Any

import httpx
import pytest
from bot_street import (
    Onlooker,
    Provider,
    administrator,
    agents_view,
    leave,
    publish,
    steps_of,
)

from qingniao.doubles.faq import Faq
from qingniao.flow import samples

pytestmark = pytest.mark.e2e

VISITORS = 200
SETTINGS = {
    "QINGNIAO_AI_BOT": "shop",
    "QINGNIAO_OUTGOING_ALLOW": "127.0.0.1",
    "QINGNIAO_AI_PARALLEL": "256",
}
SORRY = next(
    node.settings["text"]["zh-CN"]
    for node in samples.read(samples.AFTER_SALES).nodes
    if node.id == "to_person_failed"
)


async def is_asked(server: Any, provider: Provider) -> None:
    """Until the published bot is the one that answers."""
    before = await provider.asked()
    for _ in range(40):
        (visitor,) = await Onlooker.come(server, 1)
        await visitor.ask()
        await visitor.until(lambda v: v.is_served or v.drafts)
        await leave([visitor])
        if await provider.asked() > before:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the bot was never asked")


async def scraped(url: str) -> str:
    """The server's metrics."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"{url}/metrics")).text


async def all_reading(server: Any) -> list[Onlooker]:
    """All of them have asked and see the beginning of an answer."""
    visitors = await Onlooker.come(server, VISITORS)
    await asyncio.gather(*(visitor.ask() for visitor in visitors))
    await asyncio.gather(*(visitor.until(lambda v: v.drafts) for visitor in visitors))
    return visitors


@pytest.mark.parametrize("then", [("local",), ()], ids=["next_bot", "person"])
async def test_killed_in_the_middle_of_200_conversations(
    start_server: Any, faq: Faq, then: tuple[str, ...]
) -> None:
    server = await start_server(**SETTINGS)
    api = await administrator(server)
    async with Provider("dify", pace_ms=400) as provider:
        settings = {"base_url": provider.url}
        limits = {"at_once": 256, "then": then}
        await publish(api, "dify", settings, {"key": provider.key}, **limits)
        await is_asked(server, provider)
        visitors = await all_reading(server)
        half = [next(iter(visitor.drafts.values())) for visitor in visitors]
        provider.send(signal.SIGKILL)
        ended = (lambda v: v.is_served) if then else (lambda v: v.waits_for_a_person)
        await asyncio.gather(*(visitor.until(ended) for visitor in visitors))
    platform = faq.by_id["s01-01"].answer
    assert all(platform.startswith(text) and text != platform for text in half)
    for visitor in visitors:
        (answer,) = visitor.answers
        assert visitor.withdrawn, "what was shown by halves is taken back"
        assert "partial" not in answer
        if then:
            assert answer["bot"] == "local"
            assert answer["text"] == platform
            assert visitor.status == "bot"
        else:
            assert answer["text"] == SORRY
            assert "bot" not in answer
    text = await scraped(server.url)
    assert 'qingniao_bot_replies{bot="shop"} 0.0' in text
    assert 'qingniao_bot_failures_total{bot="shop",code="bot_truncated"}' in text
    if then:
        count = re.search(r'^qingniao_bot_answers_total{bot="local"} (.*)$', text, re.M)
        assert count is not None and float(count[1]) >= VISITORS
    some = [visitor.conversation for visitor in visitors[::40]]
    for entries in (await agents_view(api, some, 3 if then else 5)).values():
        (step,) = steps_of(entries)
        asked = next(one for one in step["trace"] if one["kind"] == "answer")
        if then:
            assert (asked["port"], asked["bot"]) == ("answered", "local")
            assert asked["instead_of"][0].startswith("shop: ")
        else:
            assert asked["port"] == "failed"
            assert asked["reason"]
            assert entries[-1].body["why"] == "bot_failed"
    await leave(visitors)


@pytest.mark.parametrize("then", [("local",), ()], ids=["next_bot", "person"])
async def test_held_still_in_the_middle_and_back_again(
    start_server: Any, faq: Faq, then: tuple[str, ...]
) -> None:
    server = await start_server(**SETTINGS)
    api = await administrator(server)
    platform = faq.by_id["s01-01"].answer
    async with Provider("dify", pace_ms=150) as provider:
        settings = {"base_url": provider.url}
        limits = {"at_once": 256, "then": then, "idle_s": 2.0, "failures": 5, "open_s": 1.0}
        await publish(api, "dify", settings, {"key": provider.key}, **limits)
        await is_asked(server, provider)
        visitors = await all_reading(server)
        provider.send(signal.SIGSTOP)
        ended = (lambda v: v.is_served) if then else (lambda v: v.waits_for_a_person)
        await asyncio.gather(*(visitor.until(ended) for visitor in visitors))
        # While it is known to be gone nobody waits for it.
        (late,) = await Onlooker.come(server, 1)
        await late.ask()
        await late.until(ended)
        assert not late.withdrawn
        # It comes back and says the rest of what it had to say: to nobody.
        provider.send(signal.SIGCONT)
        told = [len(visitor.entries) for visitor in visitors]
        await is_asked(server, provider)
        assert [len(visitor.entries) for visitor in visitors] == told
    for visitor in visitors:
        (answer,) = visitor.answers
        assert answer["text"] == (platform if then else SORRY)
        assert answer.get("bot") == ("local" if then else None)
        assert visitor.withdrawn
        assert not visitor.drafts
    if not then:
        (entries,) = (await agents_view(api, [visitors[0].conversation], 5)).values()
        assert entries[-1].body["why"] == "bot_failed"
    await leave([*visitors, late])
