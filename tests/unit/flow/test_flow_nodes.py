"""Each kind of node on its own: which way it leaves, what it wants, what it learns."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import AskBot, ChooseTeam, Classify, Handoff, Moderate, Say, Search
from qingniao.flow.events import (
    Answered,
    BotFailed,
    Classified,
    Event,
    Found,
    Guess,
    Hit,
    Moderated,
    ServiceFailed,
    TeamChosen,
    TimedOut,
    VisitorSaid,
    Wish,
)
from qingniao.flow.nodes import KINDS
from qingniao.flow.nodes.base import Act, Scene

TEXT = {"zh-CN": "中文", "en": "English"}
SETTINGS: dict[str, dict[str, Any]] = {
    "intent": {
        "threshold": 0.6,
        "routes": [
            {"port": "greeting", "intents": ["greeting", "hi"]},
            {"port": "chitchat", "intents": ["chitchat"], "at": 0.8, "alone": True},
        ],
    },
    "ask_back": {"text": TEXT, "text_alone": {"zh-CN": "没有"}},
    "say": {"text": TEXT, "options": {"zh-CN": ["转人工"]}},
    "handoff": {"why": "angry", "text": TEXT},
}


def scene(text: str = "退款多久到账", **changes: Any) -> Scene:
    plain = {"locale": "zh-CN", "files": 0, "facts": {}, "variables": {}, "counters": {}}
    return Scene(text=text, **(plain | changes))


def settings_of(kind: str, changes: Mapping[str, Any]) -> msgspec.Struct:
    plain = SETTINGS.get(kind, {}) | dict(changes)
    settings: msgspec.Struct = msgspec.convert(plain, KINDS[kind].settings)
    return settings


def enter(kind: str, here: Scene, **changes: Any) -> Act:
    return KINDS[kind].enter(settings_of(kind, changes), here)


def resume(kind: str, event: Event, here: Scene | None = None, **changes: Any) -> Act:
    return KINDS[kind].resume(settings_of(kind, changes), here or scene(), event)


def faults(kind: str, **changes: Any) -> list[str]:
    return list(KINDS[kind].faults(settings_of(kind, changes)))


def test_start_tells_words_from_files() -> None:
    assert enter("start", scene()).port == "asked"
    assert enter("start", scene("看这个", files=1)).port == "asked"
    assert enter("start", scene("  ", files=1)).port == "file"


def test_sensitive_asks_and_follows_the_verdict() -> None:
    assert enter("sensitive", scene()).effects == (Moderate(text="退款多久到账"),)
    assert resume("sensitive", Moderated(verdict="clean")).port == "passed"
    assert resume("sensitive", Moderated(verdict="flagged", words=("坏",))).port == "flagged"
    blocked = resume("sensitive", Moderated(verdict="blocked", words=("坏",)))
    assert blocked.port == "blocked"
    assert blocked.note["words"] == ["坏"]


def test_sensitive_lets_through_what_it_could_not_look_at() -> None:
    failed = resume("sensitive", ServiceFailed(reason="no list"))
    ports = KINDS["sensitive"].ports(settings_of("sensitive", {}))
    assert {port.name: port.otherwise for port in ports}[failed.port] == "passed"


@pytest.mark.parametrize(
    ("event", "port"),
    [
        (Classified(intent="greeting", confidence=0.9), "greeting"),
        (Classified(intent="hi", confidence=0.6), "greeting"),
        (Classified(intent="greeting", confidence=0.59), "other"),
        (Classified(intent="chitchat", confidence=0.8), "chitchat"),
        (Classified(intent="chitchat", confidence=0.79), "other"),
        (Classified(intent="refund", confidence=0.9), "other"),
        (Classified(), "other"),
        (Classified(intent="greeting", confidence=0.9, angry=True), "angry"),
        (Classified(intent="greeting", confidence=0.9, wants_person=True, angry=True), "person"),
        (ServiceFailed(reason="gone"), "failed"),
        (TimedOut(), "failed"),
    ],
)
def test_intent_chooses_person_before_anger_before_topic(event: Event, port: str) -> None:
    assert resume("intent", event).port == port


def test_intent_asks_for_clauses_if_a_way_wants_to_be_alone() -> None:
    assert enter("intent", scene("你好")).effects == (Classify(text="你好", by_clause=True),)
    assert enter("intent", scene("你好"), routes=[]).effects == (Classify(text="你好"),)


@pytest.mark.parametrize(
    ("clauses", "port"),
    [
        ({}, "chitchat"),
        ({"chitchat": 0.9}, "chitchat"),
        ({"chitchat": 0.9, "refund": 0.5}, "other"),
        ({"chitchat": 0.9, "refund": 0.49}, "chitchat"),
    ],
)
def test_intent_hears_a_question_beside_small_talk(clauses: dict[str, float], port: str) -> None:
    guesses = tuple(Guess(text=f"{n},", intent=n, confidence=c) for n, c in clauses.items())
    event = Classified(intent="chitchat", confidence=0.9, clauses=guesses)
    act = resume("intent", event)
    assert (act.port, act.text) == (port, "refund," if port == "other" else None)


def test_intent_keeps_the_whole_text_of_a_question_without_small_talk() -> None:
    guesses = (
        Guess(text="a,", intent="refund", confidence=0.9),
        Guess(text="b", intent="chitchat", confidence=0.3),
    )
    act = resume("intent", Classified(intent="refund", confidence=0.9, clauses=guesses))
    assert (act.port, act.text) == ("other", None)


def test_intent_goes_its_way_whatever_else_is_said_unless_told_to_be_alone() -> None:
    more = (Guess(text="x", intent="refund", confidence=0.9),)
    event = Classified(intent="greeting", confidence=0.9, clauses=more)
    assert resume("intent", event).port == "greeting"


def test_knowledge_tells_sure_from_near() -> None:
    assert enter("knowledge", scene(), limit=7).effects == (Search(text="退款多久到账", limit=7),)
    sure = resume("knowledge", Found(hits=(Hit(id="a", question="A?", confidence=0.5),)))
    assert sure.port == "sure"
    hits = tuple(Hit(id=f"{c}", question=f"{c}?", confidence=c) for c in (0.4, 0.2, 0.1))
    near = resume("knowledge", Found(hits=hits))
    assert (near.port, near.facts["options"]) == ("unsure", ["0.4?", "0.2?"])
    assert resume("knowledge", Found()).port == "unsure"
    assert resume("knowledge", TimedOut()).port == "failed"


def test_knowledge_that_needs_no_confidence_still_needs_a_hit() -> None:
    assert resume("knowledge", Found(), sure_at=0.0, near_at=0.0).port == "unsure"


def test_answer_hands_its_limits_to_the_worker() -> None:
    act = enter("answer", scene(locale="en"), bot="b7", floor=0.4, idle_s=2, deadline_s=9)
    assert act.effects == (
        AskBot(
            text="退款多久到账", locale="en", floor=0.4, idle_s=2.0, deadline_s=9.0, bot="b7"
        ),
    )  # fmt: skip


def test_answer_says_what_is_sure_and_whole() -> None:
    event = Answered(text="三天", bot="b", confidence=0.5, options=("1", "2", "3", "4"), took_ms=4)
    act = resume("answer", event)
    assert act.port == "answered"
    assert act.counters == {"unsure": 0}
    assert act.effects == (
        Say(text="三天", options=("1", "2", "3"), confidence=0.5, bot="b", took_ms=4),
    )
    assert resume("answer", event, offers=False).effects == (
        Say(text="三天", confidence=0.5, bot="b", took_ms=4),
    )


def test_answer_trusts_a_bot_that_cannot_tell_its_confidence() -> None:
    assert resume("answer", Answered(text="三天", confidence=None)).port == "answered"


@pytest.mark.parametrize(
    "event", [Answered(text="三天", confidence=0.49), Answered(text=" ", confidence=0.9)]
)
def test_answer_is_silent_when_unsure(event: Answered) -> None:
    act = resume("answer", event, scene(facts={"options": ["A?"]}))
    assert (act.port, act.effects, act.facts["options"]) == ("unsure", (), ["A?"])


def test_answer_prefers_what_the_bot_suggests() -> None:
    event = Answered(text="", options=("B?",))
    assert resume("answer", event, scene(facts={"options": ["A?"]})).facts["options"] == ["B?"]


CALL = Wish(kind="handoff", name="售后组", reason="要退货", team=5)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Answered(text="", wishes=(CALL,)), []),
        (Answered(text="我请同事来。", wishes=(CALL,)), ["我请同事来。"]),
        (Answered(text="我猜的", confidence=0.1, wishes=(CALL,)), []),
    ],
)
def test_answering_bot_can_call_a_person(event: Answered, said: list[str]) -> None:
    act = resume("answer", event)
    assert act.port == "person"
    assert [effect.text for effect in act.effects if isinstance(effect, Say)] == said
    assert act.facts == {"called": "要退货", "team": 5}
    assert act.note["reason"] == "要退货"


def test_team_that_there_is_not_is_written_down() -> None:
    call = Wish(kind="handoff", name="没有的组")
    act = resume("answer", Answered(text="", wishes=(call,)))
    assert (act.port, act.facts) == ("person", {"called": ""})
    assert act.note["unknown_team"] == "没有的组"


def test_wishes_that_nobody_can_fulfil_are_written_down_and_do_nothing() -> None:
    wishes = (Wish(kind="dance"), Wish(kind="tool", name="refund"))
    act = resume("answer", Answered(text="三天", wishes=wishes))
    assert act.port == "answered"
    assert act.effects == (Say(text="三天"),)
    assert act.note["ignored"] == ["dance", "tool refund"]
    assert resume("answer", Answered(text="", wishes=wishes)).port == "unsure"


@pytest.mark.parametrize("event", [BotFailed(reason="gone"), TimedOut()])
def test_answer_leaves_by_failed(event: Event) -> None:
    act = resume("answer", event)
    assert (act.port, act.effects) == ("failed", ())


def test_ask_back_offers_three_and_waits() -> None:
    act = enter("ask_back", scene(facts={"options": ["A", "B", "C", "D"]}))
    assert act.effects == (Say(text="中文", options=("A", "B", "C")),)
    assert (act.awaits, act.counters) == ("said", {"unsure": 1})


def test_ask_back_with_nothing_to_offer_asks_for_other_words() -> None:
    assert enter("ask_back", scene()).effects == (Say(text="没有"),)


def test_ask_back_gives_up_the_second_time_in_a_row() -> None:
    act = enter("ask_back", scene(counters={"unsure": 1}))
    assert (act.port, act.effects) == ("given_up", ())
    assert enter("ask_back", scene(counters={"unsure": 1}), limit=3).awaits == "said"


@pytest.mark.parametrize("reply", ["2", " 2 ", "第2个", "第二个", "2。", "二"])
def test_ask_back_understands_a_number(reply: str) -> None:
    here = scene(reply, variables={"offered": ["A", "B"]})
    assert resume("ask_back", VisitorSaid(text=reply), here).text == "B"


@pytest.mark.parametrize("reply", ["3", "0", "两件都要", "个", ""])
def test_ask_back_takes_everything_else_as_words(reply: str) -> None:
    here = scene(reply, variables={"offered": ["A", "B"]})
    act = resume("ask_back", VisitorSaid(text=reply), here)
    assert (act.port, act.text) == ("replied", None)


@pytest.mark.parametrize("reply", ["都不是", "都不是。", " None of these! "])
def test_ask_back_understands_that_nothing_fits(reply: str) -> None:
    none = ["都不是", "none of these"]
    here = scene(reply, variables={"offered": ["A"]})
    assert resume("ask_back", VisitorSaid(text=reply), here, none_of_these=none).port == "none"
    nothing_offered = scene(reply)
    act = resume("ask_back", VisitorSaid(text=reply), nothing_offered, none_of_these=none)
    assert act.port == "replied"


def test_ask_back_sees_a_file_instead_of_words() -> None:
    here = scene("", files=1)
    assert resume("ask_back", VisitorSaid(text="", files=1), here).port == "file"


def test_say_speaks_the_visitors_language() -> None:
    assert enter("say", scene()).effects == (Say(text="中文", options=("转人工",)),)
    assert enter("say", scene(locale="en")).effects[0] == Say(text="English", options=("转人工",))
    assert enter("say", scene(locale="en-GB")).effects[0] == Say(
        text="English", options=("转人工",)
    )
    assert enter("say", scene(locale="fr")).effects[0] == Say(text="中文", options=("转人工",))


def test_handoff_tells_the_visitor_first() -> None:
    act = enter("handoff", scene())
    assert act.effects == (Say(text="中文"), Handoff(why=Why.ANGRY))
    assert act.ends


def test_handoff_names_its_team() -> None:
    act = enter("handoff", scene(), team=3)
    assert act.effects[1] == Handoff(why=Why.ANGRY, team=3)


def test_handoff_has_a_router_choose_and_then_tells_the_visitor() -> None:
    act = enter("handoff", scene(), router="coze", explains=False)
    assert act.effects == (ChooseTeam(text="退款多久到账", judge="coze", explains=False),)
    act = resume("handoff", TeamChosen(team=4, said="售后组"), router="coze", team=3)
    assert act.effects == (Say(text="中文"), Handoff(why=Why.ANGRY, team=4))
    assert act.note == {"why": "angry", "router": "coze", "said": "售后组"}


@pytest.mark.parametrize("event", [TeamChosen(), BotFailed(reason="gone"), TimedOut()])
@pytest.mark.parametrize("drawn", [0, 3])
def test_router_without_an_answer_leaves_it_to_the_drawn_team(event: Event, drawn: int) -> None:
    act = resume("handoff", event, router="coze", team=drawn)
    assert act.effects == (Say(text="中文"), Handoff(why=Why.ANGRY, team=drawn))


def test_router_is_not_asked_about_a_file_without_words() -> None:
    act = enter("handoff", scene(" ", files=1), router="coze", team=3)
    assert act.effects[-1] == Handoff(why=Why.ANGRY, team=3)


def test_team_that_the_bot_named_comes_before_what_is_drawn() -> None:
    here = scene(facts={"called": "要退货", "team": 5})
    act = enter("handoff", here, router="coze", team=3)
    assert act.effects[-1] == Handoff(why=Why.BOT_CALLED, team=5, reason="要退货")


def test_end_ends() -> None:
    assert enter("end", scene()).ends
    assert KINDS["end"].ports(settings_of("end", {})) == ()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("intent", {"threshold": 1.5}),
        ("intent", {"routes": [{"port": "a", "intents": ["x"], "at": -1}]}),
        ("intent", {"routes": [{"port": "person", "intents": ["x"]}]}),
        ("intent", {"routes": [{"port": "", "intents": ["x"]}]}),
        ("intent", {"routes": [{"port": "a", "intents": []}]}),
        (
            "intent",
            {"routes": [{"port": "a", "intents": ["x"]}, {"port": "b", "intents": ["x"]}]},
        ),
        ("knowledge", {"sure_at": 0.1, "near_at": 0.2}),
        ("knowledge", {"limit": 0}),
        ("answer", {"floor": -0.1}),
        ("answer", {"idle_s": 0}),
        ("answer", {"idle_s": 70}),
        ("ask_back", {"limit": 1}),
        ("ask_back", {"most": 4}),
        ("ask_back", {"text": {"en": "only English"}}),
        ("ask_back", {"text_alone": {"zh-CN": "字" * 2001}}),
        ("say", {"text": {"zh-CN": "  "}}),
        ("say", {"options": {"zh-CN": ["1", "2", "3", "4", "5", "6", "7"]}}),
        ("handoff", {"text": {}}),
    ],
)
def test_wrong_settings_are_said_in_a_sentence(kind: str, changes: dict[str, Any]) -> None:
    assert faults(kind) == []
    (fault,) = faults(kind, **changes)
    assert fault[0].isupper()
    assert fault.endswith(".")


def test_a_kind_that_waits_for_nothing_says_so() -> None:
    with pytest.raises(RuntimeError, match="say waits for nothing"):
        resume("say", TimedOut())
