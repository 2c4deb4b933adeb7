"""The engine's own promises: turns end, never in silence; the visitor's last words count."""

from typing import Any

import pytest

from qingniao.chat.lifecycle import Why
from qingniao.flow import samples
from qingniao.flow.effects import Classify, Handoff, Moderate, Passed, Say
from qingniao.flow.engine import MAX_STEPS, rescue, step
from qingniao.flow.events import (
    Answered,
    Classified,
    Found,
    Moderated,
    TimedOut,
    VisitorSaid,
    Wish,
)
from qingniao.flow.graph import Edge, Flow, Node
from qingniao.flow.plan import Plan, prepare
from qingniao.flow.state import FlowState, restore, store

SORRY = {"zh-CN": "抱歉", "en": "Sorry"}
HI = VisitorSaid(text="你好")
CALLED = (Say(text="抱歉"), Handoff(why=Why.BOT_FAILED))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return prepare(samples.read(samples.AFTER_SALES))


def drawn(nodes: dict[str, tuple[str, dict[str, Any]]], *lines: tuple[str, str, str]) -> Plan:
    return prepare(
        Flow(
            id="f",
            fallback=SORRY,
            nodes=tuple(Node(id=id, kind=k, settings=s) for id, (k, s) in nodes.items()),
            edges=tuple(Edge(source=s, port=p, target=t) for s, p, t in lines),
        )
    )


def test_what_nobody_waits_for_changes_nothing(plan: Plan) -> None:
    state, _ = step(plan, FlowState(), HI)
    assert state.awaiting == "moderated"
    assert step(plan, state, Found()) == (state, ())
    assert step(plan, FlowState(), TimedOut()) == (FlowState(), ())
    assert step(plan, FlowState(), Moderated(verdict="clean")) == (FlowState(), ())
    asking = FlowState(node="ask_back", awaiting="said")
    assert step(plan, asking, TimedOut()) == (asking, ())


def test_the_visitors_last_words_count(plan: Plan) -> None:
    state, _ = step(plan, FlowState(), HI)
    state, _ = step(plan, state, Moderated(verdict="clean"))
    assert state.awaiting == "classified"
    state, effects = step(plan, state, VisitorSaid(text="退款"))
    assert (state.text, state.awaiting) == ("退款", "moderated")
    assert effects[-1] == Moderate(text="退款")


def test_an_answer_sets_the_count_of_unsure_turns_back(plan: Plan) -> None:
    state = FlowState(node="answer", awaiting="answered", counters={"unsure": 1})
    state, _ = step(plan, state, Answered(text="三天", confidence=0.9))
    assert state == FlowState(counters={"unsure": 0})


def test_a_handoff_sets_it_back_too(plan: Plan) -> None:
    state = FlowState(node="intent", awaiting="classified", counters={"unsure": 1})
    state, effects = step(plan, state, Classified(wants_person=True))
    assert effects[-1] == Handoff(why=Why.ASKED)
    assert state.counters == {"unsure": 0}


def test_going_round_in_circles_calls_a_person() -> None:
    nodes = {"start": ("start", {}), "a": ("sensitive", {}), "b": ("sensitive", {})}
    circle = drawn(nodes, ("start", "asked", "a"), ("a", "passed", "b"), ("b", "passed", "a"))
    state, effects = step(circle, FlowState(), HI)
    for _ in range(MAX_STEPS):
        if not state.awaiting:
            break
        state, effects = step(circle, state, Moderated(verdict="clean"))
    assert effects[-2:] == CALLED
    assert state.awaiting == ""


def test_a_talkative_circle_stops_talking() -> None:
    say = ("say", {"text": SORRY})
    nodes = {"start": ("start", {}), "a": say, "b": say}
    circle = drawn(nodes, ("start", "asked", "a"), ("a", "next", "b"), ("b", "next", "a"))
    _, effects = step(circle, FlowState(), HI)
    assert len(effects) <= 2 * MAX_STEPS + 2
    assert effects[-2:] == CALLED


def test_a_way_that_is_not_drawn_calls_a_person() -> None:
    state, effects = step(drawn({"start": ("start", {})}), FlowState(), HI)
    assert effects == (Passed(node="start", kind="start", port="asked"), *CALLED)
    assert state == FlowState()


def test_an_end_in_silence_calls_a_person() -> None:
    nodes = {"start": ("start", {}), "end": ("end", {})}
    _, effects = step(drawn(nodes, ("start", "asked", "end")), FlowState(), HI)
    assert effects[-2:] == CALLED


def test_after_a_word_an_undrawn_way_is_an_end() -> None:
    nodes = {"start": ("start", {}), "hi": ("say", {"text": SORRY})}
    state, effects = step(drawn(nodes, ("start", "asked", "hi")), FlowState(), HI)
    assert effects[-1] == Say(text="抱歉")
    assert state == FlowState()


def test_the_failing_flow_speaks_the_visitors_language(plan: Plan) -> None:
    state, effects = rescue(plan, FlowState(locale="en", counters={"unsure": 3}, node="intent"))
    assert state == FlowState(locale="en")
    assert isinstance(effects[0], Say)
    assert effects[0].text.startswith("Sorry")


@pytest.mark.parametrize("node", ["gone", "greeting"])
def test_a_flow_drawn_anew_starts_at_the_top(plan: Plan, node: str) -> None:
    _, effects = step(plan, FlowState(node=node, awaiting="said"), HI)
    assert isinstance(effects[0], Passed)
    assert effects[0].node == "start"


def test_a_node_drawn_anew_is_not_told(plan: Plan) -> None:
    state = FlowState(node="gone", awaiting="classified")
    assert step(plan, state, Classified()) == (state, ())


def test_the_reply_to_a_question_asked_back_enters_there(plan: Plan) -> None:
    waiting = FlowState(node="ask_back", awaiting="said", variables={"offered": ["A?"]})
    state, effects = step(plan, waiting, VisitorSaid(text="1"))
    assert effects[-1] == Moderate(text="A?")
    state, effects = step(plan, state, Moderated(verdict="clean"))
    assert effects[-1] == Classify(text="A?", by_clause=True)


def test_facts_are_forgotten_with_the_question(plan: Plan) -> None:
    state = FlowState(node="intent", awaiting="classified", text="退款")
    state, _ = step(plan, state, Classified(intent="refund", confidence=0.9))
    assert state.facts["intent"] == "refund"
    state, _ = step(plan, state, HI)
    assert state.facts == {}


def test_a_state_nobody_understands_is_a_fresh_one() -> None:
    assert restore({"node": 3}) == FlowState()
    assert restore({}) == FlowState()
    assert restore(store(FlowState(node="x", counters={"n": 1}))) == FlowState(
        node="x", counters={"n": 1}
    )


CALL = Wish(kind="handoff", reason="要退货", team=5)


@pytest.mark.parametrize(
    ("text", "told"), [("我请同事来。", Say(text="我请同事来。")), ("", Say(text="抱歉"))]
)
def test_bot_that_calls_a_person_gets_one_though_nothing_is_drawn(text: str, told: Say) -> None:
    bare = drawn({"start": ("start", {}), "bot": ("answer", {})}, ("start", "asked", "bot"))
    state, _ = step(bare, FlowState(), HI)
    state, effects = step(bare, state, Answered(text=text, wishes=(CALL,)))
    assert effects[1:] == (told, Handoff(why=Why.BOT_CALLED, team=5, reason="要退货"))
    assert state == FlowState(counters={})


def test_drawn_way_for_a_bots_call_is_taken_and_the_reason_kept(plan: Plan) -> None:
    state = FlowState(node="answer", awaiting="answered")
    _, effects = step(plan, state, Answered(text="", wishes=(CALL,)))
    passed = [effect.node for effect in effects if isinstance(effect, Passed)]
    assert passed == ["answer", "to_person_asked"]
    assert effects[-1] == Handoff(why=Why.BOT_CALLED, team=5, reason="要退货")


def test_a_late_call_of_a_bot_is_nobodys(plan: Plan) -> None:
    resting = FlowState()
    assert step(plan, resting, Answered(text="", wishes=(CALL,))) == (resting, ())
