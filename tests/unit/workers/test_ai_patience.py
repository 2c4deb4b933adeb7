"""How long a bot is waited for: one that thinks and says so has time, a dead one is noticed."""

from typing import Any

import msgspec
import pytest
from ai_house import FLOW, House
from doubles_house import StartDouble

from qingniao.bots.dify import DifyBot, DifySettings
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.stack import Policy, guarded
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.faq import Faq
from qingniao.flow.nodes.answer import AnswerSettings
from qingniao.flow.plan import Plan, prepare
from qingniao.outgoing.client import Outgoing

DIFY_PINGS_S = 10.0
THINKS_S = 20.0
"""Reasoning models that stream nothing while they think."""
TYPING_S = 60.0
"""So long the widget shows dots."""


def plan(**settings: Any) -> Plan:
    """The sample flow with other settings of its bot."""
    nodes = tuple(
        msgspec.structs.replace(node, settings=node.settings | settings)
        if node.id == "answer"
        else node
        for node in FLOW.nodes
    )
    return prepare(msgspec.structs.replace(FLOW, nodes=nodes))


def test_a_thinking_bot_has_time_and_the_visitor_sees_dots() -> None:
    sample = next(node.settings for node in FLOW.nodes if node.id == "answer")
    for told in (AnswerSettings(), msgspec.convert(sample, AnswerSettings)):
        assert told.idle_s > max(THINKS_S, 2 * DIFY_PINGS_S)
        assert told.deadline_s <= TYPING_S
        assert told.deadline_s >= 2 * told.idle_s, "the next bot has time too"


@pytest.mark.parametrize(
    ("words", "is_answered"), [("wait:1500", True), ("hang", False), ("hang-midway", False)]
)
async def test_pings_are_signs_of_life_and_silence_is_not(
    start_double: StartDouble, outgoing: Outgoing, faq: Faq, words: str, *, is_answered: bool
) -> None:
    double = await start_double(DifyDouble, ping_s=0.1)
    double.play(words)
    settings = DifySettings(key="app-double-chat", base_url=double.base_url)
    bot = guarded(DifyBot(outgoing, settings), Policy(), MemoryLedger())
    house = House(bot, plan(idle_s=0.6, deadline_s=10.0))
    await house.hears("怎么退款")
    await bot.close()  # type: ignore[attr-defined]
    if is_answered:
        assert house.head.status == "bot"
    else:
        assert house.head.why == "bot_failed"
        reason = next(step["reason"] for step in house.trace() if step["kind"] == "answer")
        assert reason == "It took too long."
        assert house.screen() == ""
