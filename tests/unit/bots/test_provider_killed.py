"""A provider that dies while many are reading along: everybody gets the next bot's whole answer,
nobody half of one, and nobody waits for ever."""

import asyncio

import pytest
from asking import ask, shown
from doubles_house import StartDouble
from scripted_bots import Scripted

from qingniao.bots.base import (
    BotError,
    Done,
    Grounded,
    ReplyEvent,
    TextDelta,
)
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.stack import Policy, chain, guarded
from qingniao.doubles.faq import Faq
from qingniao.doubles.openai import OpenAIDouble
from qingniao.outgoing.client import Outgoing

CONVERSATIONS = 200
SORRY = "请稍等，马上为您转接。"


@pytest.mark.parametrize("has_fallback", [True, False])
async def test_killed_in_the_middle_of_200_answers(
    start_double: StartDouble, outgoing: Outgoing, faq: Faq, has_fallback: bool
) -> None:
    double = await start_double(OpenAIDouble, pace_s=0.02)
    settings = OpenAISettings(
        model="gpt-4o-mini", base_url=double.base_url, key=double.key, idle_s=5
    )
    policy = Policy(at_once=CONVERSATIONS, tries=2, failures=1_000)
    remote = guarded(OpenAIBot(outgoing, settings), policy, MemoryLedger())
    spare = Scripted(Grounded(), TextDelta(text=SORRY), Done(text=SORRY), name="spare")
    bot = chain([remote, spare] if has_fallback else [remote])
    begun = 0

    async def talk(number: int) -> list[ReplyEvent] | BotError:
        nonlocal begun
        begun += 1
        try:
            return await ask(bot, conversation=number)
        except BotError as exc:
            return exc

    talks = [asyncio.ensure_future(talk(number)) for number in range(CONVERSATIONS)]
    async with asyncio.timeout(20):
        while len(double.exchanges) < CONVERSATIONS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await double.close()
        ends = await asyncio.gather(*talks)
    whole = faq.by_id["s01-01"].answer
    for end in ends:
        if isinstance(end, BotError):
            assert not has_fallback
            continue
        done = end[-1]
        assert isinstance(done, Done)
        assert shown(end) == done.text
        assert done.text in (SORRY, whole)
    if has_fallback:
        assert sum(1 for end in ends if not isinstance(end, BotError)) == CONVERSATIONS
        assert len(spare.asked) > CONVERSATIONS // 2
    else:
        assert sum(1 for end in ends if isinstance(end, BotError)) > CONVERSATIONS // 2
