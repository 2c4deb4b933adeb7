"""A bot as the classifier of an intent step, and what happens when it fails."""

from typing import Any

import msgspec
import pytest
from ai_house import FLOW, House, ScriptedBot
from doubles_house import StartDouble

from qingniao.bots.base import BotService, BotUnavailable, Done, Grounded, TextDelta
from qingniao.bots.fastgpt import FastGPTBot, FastGPTSettings
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.flow.plan import Plan, prepare
from qingniao.outgoing.client import Outgoing


def judged_by(judge: str, **settings: Any) -> Plan:
    """The first flow, its topics chosen by a bot."""
    nodes = tuple(
        msgspec.structs.replace(node, settings=node.settings | {"judge": judge} | settings)
        if node.kind == "intent"
        else node
        for node in FLOW.nodes
    )
    return prepare(msgspec.structs.replace(FLOW, nodes=nodes))


def house_with(judge: BotService, plan: Plan) -> tuple[House, ScriptedBot]:
    bot = ScriptedBot(Grounded(confidence=0.9), TextDelta(text="好"), Done(text="好"))
    house = House(bot, plan)
    bots = {"judge": judge, "": bot}
    house.worker._bot = lambda name: bots[name]  # type: ignore[attr-defined]
    return house, bot


def way(house: House) -> str:
    return next(str(step["port"]) for step in house.trace() if step["kind"] == "intent")


async def test_the_judges_word_decides_the_way() -> None:
    judge = ScriptedBot(Grounded(), Done(text="greeting"), name="judge")
    house, bot = house_with(judge, judged_by("judge"))
    await house.hears("来啦")
    assert way(house) != "other"
    assert bot.asked == []
    assert "greeting" in judge.asked[0].instructions


@pytest.mark.parametrize(
    "judge",
    [
        ScriptedBot(BotUnavailable(), name="judge"),
        ScriptedBot(Grounded(), Done(text="我觉得是 greeting"), name="judge"),
    ],
)
async def test_judge_that_fails_or_rambles_decides_nothing(judge: ScriptedBot) -> None:
    house, bot = house_with(judge, judged_by("judge"))
    await house.hears("退款多久到账")
    assert way(house) == "other"
    assert len(bot.asked) == 1


@pytest.mark.parametrize(
    "judge",
    [
        ScriptedBot(BotUnavailable(), name="judge"),
        ScriptedBot(RuntimeError("a plugin's fault"), name="judge"),
        ScriptedBot(Grounded(), Done(text="我觉得是 thanks"), name="judge"),
        ScriptedBot(Grounded(), Done(text=""), name="judge"),
        ScriptedBot(30.0, name="judge"),
    ],
    ids=["away", "raises", "rambles", "silent", "hangs"],
)
async def test_without_a_judges_word_our_own_decides(judge: ScriptedBot) -> None:
    house, _ = house_with(judge, judged_by("judge"))
    house.worker._judges._judge_s = 0.05  # type: ignore[attr-defined]
    await house.hears("你好")
    assert way(house) == "greeting"


async def test_judge_that_says_that_nothing_fits_is_believed() -> None:
    judge = ScriptedBot(Grounded(), Done(text="none"), name="judge")
    house, _ = house_with(judge, judged_by("judge"))
    await house.hears("你好")
    assert way(house) == "other"


async def test_wish_for_a_person_is_not_the_judges_matter() -> None:
    judge = ScriptedBot(Grounded(), Done(text="greeting"), name="judge")
    house, _ = house_with(judge, judged_by("judge"))
    await house.hears("转人工")
    assert way(house) == "person"


async def test_fastgpt_is_the_judge(start_double: StartDouble, outgoing: Outgoing) -> None:
    double = await start_double(FastGPTDouble)
    settings = FastGPTSettings(key="fastgpt-double-classifier", base_url=double.base_url)
    judge = FastGPTBot(outgoing, settings, name="judge")
    house, bot = house_with(judge, judged_by("judge", explains=False))
    await house.hears("你好")
    assert way(house) != "other"
    assert bot.asked == []
    assert double.exchanges
