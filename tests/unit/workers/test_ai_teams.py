"""Which team a person is called for: drawn, chosen by a bot, or wished for by the answering one."""

import asyncio
from typing import Any

import msgspec
import pytest
from ai_house import CONVERSATION, FLOW, House, ScriptedBot
from doubles_house import StartDouble

from qingniao.bots.base import Action, BotService, BotUnavailable, Done, Grounded, TextDelta
from qingniao.bots.coze import CozeBot, CozeSettings
from qingniao.chat.lifecycle import Status
from qingniao.doubles.coze import CozeDouble
from qingniao.flow.plan import Plan, prepare
from qingniao.outgoing.client import Outgoing
from qingniao.protocol.frames import EntryType
from qingniao.storage.rows import Team
from qingniao.workers.ai import AILimits

TEAMS = [
    Team(id=3, name="售后组", description="退货、退款、质量问题"),
    Team(id=4, name="物流组", description="快递、运费"),
]


def handing(**settings: Any) -> Plan:
    """The first flow, its handoffs with these settings."""
    nodes = tuple(
        msgspec.structs.replace(node, settings=node.settings | settings)
        if node.kind == "handoff"
        else node
        for node in FLOW.nodes
    )
    return prepare(msgspec.structs.replace(FLOW, nodes=nodes))


def house_with(plan: Plan | None = None, *, bot: BotService | None = None, **bots: Any) -> House:
    house = House(bot, plan)
    house.teams = list(TEAMS)
    known = {"": house.bot, **bots}
    house.worker._bot = lambda name: known[name]  # type: ignore[attr-defined]
    return house


def says(text: str) -> ScriptedBot:
    return ScriptedBot(Grounded(), Done(text=text), name="router")


def wishing(*actions: Action, text: str = "") -> ScriptedBot:
    pieces = [TextDelta(text=text)] if text else []
    return ScriptedBot(Grounded(confidence=0.9), *pieces, Done(text=text, actions=actions))


async def test_the_drawn_team_is_wanted() -> None:
    house = house_with(handing(team=4))
    await house.hears("转人工")
    assert (house.head.status, house.head.team, house.head.team_name) == (
        Status.WAITING, 4, "物流组",
    )  # fmt: skip
    assert house.trace()[-1]["team"] == "物流组"


async def test_the_router_chooses_the_team_and_is_told_what_belongs_to_each() -> None:
    router = says("售后组")
    house = house_with(handing(router="router"), router=router)
    await house.hears("衣服破了，转人工")
    assert house.head.team == 3
    assert house.trace()[-1] | {"ms": 0} == {
        "node": "to_person_asked", "kind": "handoff", "port": "", "ms": 0, "why": "asked",
        "router": "router", "said": "售后组", "team": "售后组",
    }  # fmt: skip
    assert "售后组: 退货、退款、质量问题" in router.asked[0].instructions
    assert router.asked[0].text == "衣服破了，转人工"


@pytest.mark.parametrize(
    "router",
    [
        says("我觉得应该是售后组吧"),
        says("财务组"),
        says("none"),
        says(""),
        ScriptedBot(BotUnavailable(), name="router"),
        ScriptedBot(RuntimeError("a plugin's fault"), name="router"),
        ScriptedBot(30.0, name="router"),
    ],
    ids=["rambles", "unknown", "none", "silent", "away", "raises", "hangs"],
)
@pytest.mark.parametrize("drawn", [0, 4])
async def test_router_without_a_choice_leaves_it_to_the_drawn_team(
    router: ScriptedBot, drawn: int
) -> None:
    house = house_with(handing(router="router", team=drawn), router=router)
    house.worker._judges._judge_s = 0.05  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        await house.hears("衣服破了，转人工")
    assert (house.head.status, house.head.why) == (Status.WAITING, "asked")
    assert house.head.team == drawn


async def test_router_that_is_not_there_leaves_it_to_everybody() -> None:
    house = House(plan=handing(router="nobody"))
    house.teams = list(TEAMS)
    await house.hears("转人工")
    assert (house.head.status, house.head.team) == (Status.WAITING, 0)
    assert "nobody" in house.trace()[-1]["reason"]


async def test_without_teams_no_router_is_asked() -> None:
    router = says("售后组")
    house = house_with(handing(router="router"), router=router)
    house.teams = []
    await house.hears("转人工")
    assert (house.head.status, house.head.team, router.asked) == (Status.WAITING, 0, [])


async def test_deleted_team_means_everybody() -> None:
    house = house_with(handing(team=9))
    await house.hears("转人工")
    assert (house.head.status, house.head.team) == (Status.WAITING, 0)
    assert house.trace()[-1]["unknown_team"] == 9


@pytest.mark.parametrize("settings", [{"team": 4}, {"router": "router"}])
async def test_person_is_called_though_the_teams_cannot_be_read(settings: dict[str, Any]) -> None:
    house = house_with(handing(**settings), router=says("物流组"))
    house.teams_are_away = True
    await house.hears("转人工")
    assert house.status is Status.WAITING
    assert house.head.team == settings.get("team", 0)


async def test_answering_bot_calls_a_team_with_its_reason() -> None:
    wish = Action(kind="handoff", name=" 售后组 ", reason="要求赔偿")
    house = house_with(bot=wishing(wish, text="我请售后的同事来。"))
    await house.hears("退款多久到账")
    assert (house.head.status, house.head.why, house.head.team) == (
        Status.WAITING, "bot_called", 3,
    )  # fmt: skip
    said = [body["text"] for body in house.bodies(EntryType.ANSWER)]
    assert said[0] == "我请售后的同事来。"
    (summary,) = house.bodies(EntryType.SUMMARY)
    assert summary["text"].endswith("转接原因：机器人请求人工（要求赔偿）")
    answered = next(step for step in house.trace() if step["kind"] == "answer")
    assert (answered["port"], answered["reason"]) == ("person", "要求赔偿")


async def test_team_that_the_bot_made_up_means_everybody() -> None:
    house = house_with(bot=wishing(Action(kind="handoff", name="董事会")))
    await house.hears("退款多久到账")
    assert (house.head.status, house.head.why, house.head.team) == (
        Status.WAITING, "bot_called", 0,
    )  # fmt: skip


async def test_other_wishes_are_recorded_and_do_nothing() -> None:
    wishes = (Action(kind="dance"), Action(kind="tool", name="refund", arguments="{}"))
    house = house_with(bot=wishing(*wishes, text="三天内到账。"))
    await house.hears("退款多久到账")
    assert house.status is Status.BOT
    assert [body["text"] for body in house.bodies(EntryType.ANSWER)] == ["三天内到账。"]
    answered = next(step for step in house.trace() if step["kind"] == "answer")
    assert answered["ignored"] == ["dance", "tool refund"]


async def test_a_call_that_comes_after_the_handoff_is_dropped_and_recorded() -> None:
    house = house_with(bot=wishing(Action(kind="handoff", name="售后组", reason="要求赔偿")))
    house.before_submit = house.taken
    await house.hears("退款多久到账")
    assert (house.head.status, house.head.assignee, house.head.team) == (Status.OPEN, 3, 0)
    (step,) = house.bodies(EntryType.STEP)
    assert step["dropped"] == "owned"
    assert step["uncalled"] == {"why": "bot_called", "team": "售后组"}
    assert any(stage.get("reason") == "要求赔偿" for stage in step["trace"])
    assert house.bodies(EntryType.SUMMARY) == []


async def test_coze_is_the_router(start_double: StartDouble, outgoing: Outgoing) -> None:
    double = await start_double(CozeDouble)
    settings = CozeSettings(bot="7380000000000000002", token="pat_double", base_url=double.url)
    router = CozeBot(outgoing, settings, name="router")
    house = house_with(handing(router="router", explains=False), router=router)
    await house.hears("我的快递到哪了？转人工")
    assert (house.head.status, house.head.team_name) == (Status.WAITING, "物流组")


async def test_judge_has_its_time_whatever_the_senses_have() -> None:
    limits = AILimits(sense_s=0.05)
    assert limits.judge_s > limits.sense_s
    router = ScriptedBot(0.2, Grounded(), Done(text="物流组"), name="router")
    house = house_with(handing(router="router"), router=router)
    await house.hears("转人工")
    assert house.head.team == 4
    assert house.head.conversation == CONVERSATION
