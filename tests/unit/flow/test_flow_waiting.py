"""The engine while a flow waits: timers, silence, sub-flows, errors, and what is remembered."""

from typing import Any

import msgspec
import pytest

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Handoff, Passed, Say, Wait
from qingniao.flow.engine import MAX_STATE_BYTES, step
from qingniao.flow.events import About, Elapsed, VisitorSaid
from qingniao.flow.graph import Edge, Flow, Node
from qingniao.flow.nodes.say import Say as SayKind
from qingniao.flow.plan import FlowUnreadable, Plan, prepare
from qingniao.flow.state import FlowState, restore, store

SORRY = {"zh-CN": "抱歉 {{who}}"}
HI = VisitorSaid(text="你好", visitor="v1")


def said(text: str) -> tuple[str, dict[str, Any]]:
    return "say", {"text": {"zh-CN": text}}


def drawn(nodes: dict[str, tuple[str, dict[str, Any]]], *lines: str, id: str = "f") -> Flow:
    edges = []
    for line in lines:
        way, _, target = line.partition(" > ")
        source, _, port = way.partition(".")
        edges.append(Edge(source=source, port=port, target=target))
    return Flow(
        id=id,
        fallback=SORRY,
        nodes=tuple(Node(id=n, kind=k, settings=s) for n, (k, s) in nodes.items()),
        edges=tuple(edges),
    )


def texts(effects: tuple[Any, ...]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, Say)]


ASK = ("ask", {"text": {"zh-CN": "电话？"}, "into": "phone", "form": "phone"})
START = ("start", {})
WAITS = prepare(
    drawn(
        {"start": START, "wait": ("wait", {"for_s": 60}), "still": said("还在吗"),
         "hear": said("听到 {{text}}"), "end": ("end", {})},
        "start.asked > wait", "wait.elapsed > still", "wait.replied > hear", "still.next > end",
        "hear.next > end",
    )
)  # fmt: skip


def stored(state: FlowState) -> FlowState:
    """As it is after a restart."""
    return restore(msgspec.msgpack.decode(msgspec.msgpack.encode(store(state))))


def test_a_wait_ends_with_its_time() -> None:
    state, effects = step(WAITS, FlowState(), HI)
    assert effects[-1] == Wait(for_s=60.0)
    assert (state.node, state.awaiting, state.edition) == ("wait", "said", "f@1")
    state, effects = step(WAITS, stored(state), Elapsed())
    assert texts(effects) == ["还在吗"]
    assert state == FlowState()


def test_a_wait_ends_with_words() -> None:
    state, _ = step(WAITS, FlowState(), HI)
    state, effects = step(WAITS, stored(state), VisitorSaid(text="喂"))
    assert texts(effects) == ["听到 喂"]
    assert step(WAITS, state, Elapsed()) == (state, ()), "it is over"


def test_a_question_that_is_never_answered_is_owed_after_the_wait() -> None:
    nodes = {"start": START, "wait": ("wait", {"for_s": 60}), "end": ("end", {})}
    plan = prepare(drawn(nodes, "start.asked > wait", "wait.elapsed > end"))
    state, _ = step(plan, FlowState(), HI)
    _, effects = step(plan, state, Elapsed())
    assert effects[-1] == Handoff(why=Why.BOT_FAILED)


def test_who_was_answered_may_be_left_in_silence() -> None:
    nodes = {
        "start": START,
        "hi": said("您好"),
        "wait": ("wait", {"for_s": 60}),
        "end": ("end", {}),
    }
    plan = prepare(
        drawn(nodes, "start.asked > hi", "hi.next > wait", "wait.elapsed > end")
    )  # fmt: skip
    state, _ = step(plan, FlowState(), HI)
    state, effects = step(plan, stored(state), Elapsed())
    assert texts(effects) == []
    assert state == FlowState()


def test_what_does_not_wait_for_a_time_is_not_woken() -> None:
    plan = prepare(drawn({"start": START, "ask": ASK}, "start.asked > ask"))
    state, _ = step(plan, FlowState(), HI)
    assert step(plan, state, Elapsed()) == (state, ())
    gone = msgspec.structs.replace(state, node="gone", due_ms=9)
    assert step(plan, gone, Elapsed()) == (msgspec.structs.replace(gone, due_ms=0), ())


IDLE = prepare(
    drawn(
        {"start": ("start", {"triggers": [{"port": "idle", "on": "idle", "idle_s": 30}]}),
         "hi": said("您好"), "there": said("还在吗")},
        "start.asked > hi", "start.idle > there",
    )
)  # fmt: skip


def test_silence_is_noticed_once() -> None:
    state, effects = step(IDLE, FlowState(), HI)
    assert effects[-1] == Wait(for_s=30.0)
    state, effects = step(IDLE, stored(state), Elapsed())
    assert texts(effects) == ["还在吗"]
    assert not any(isinstance(effect, Wait) for effect in effects)
    _, effects = step(IDLE, state, HI)
    assert effects[-1] == Wait(for_s=30.0), "and again after the visitor has written"


INNER = drawn(
    {"s": START, "q": ASK, "e": ("end", {}), "h": ("handoff", {"why": "unsure", "text": SORRY})},
    "s.asked > q", "q.captured > e", "q.given_up > h", id="inner",
)  # fmt: skip
OUTER = drawn(
    {"start": START, "call": ("subflow", {"flow": "inner"}), "thanks": said("记下了 {{phone}}"),
     "end": ("end", {})},
    "start.asked > call", "call.done > thanks", "thanks.next > end",
)  # fmt: skip


def test_a_flow_that_is_called_goes_on_where_it_was_called() -> None:
    plan = prepare(OUTER, {"inner": INNER})
    assert plan.edition == "f@1,inner@1"
    state, effects = step(plan, FlowState(), HI)
    assert texts(effects) == ["电话？"]
    assert (state.node, state.edition) == ("call/q", "f@1,inner@1")
    _, effects = step(plan, stored(state), VisitorSaid(text="13800138000"))
    assert texts(effects) == ["记下了 13800138000"]
    nodes = [effect.node for effect in effects if isinstance(effect, Passed)]
    assert nodes == ["call/q", "call/e", "thanks", "end"]


def test_a_flow_that_is_not_there_brings_a_person() -> None:
    _, effects = step(prepare(OUTER), FlowState(), HI)
    assert effects[-1] == Handoff(why=Why.BOT_FAILED)


def test_flows_in_a_circle_cannot_be_prepared() -> None:
    one = drawn({"s": START, "c": ("subflow", {"flow": "two"})}, "s.asked > c", id="one")
    two = drawn({"s": START, "c": ("subflow", {"flow": "one"})}, "s.asked > c", id="two")
    with pytest.raises(FlowUnreadable, match="one > two > one"):
        prepare(one, {"one": one, "two": two})
    chain = {
        f"f{i}": drawn({"s": START, "c": ("subflow", {"flow": f"f{i + 1}"})}, "s.asked > c",
                       id=f"f{i}")
        for i in range(9)
    }  # fmt: skip
    with pytest.raises(FlowUnreadable, match="more than"):
        prepare(chain["f0"], chain)


class Breaking(SayKind):
    def enter(self, settings: Any, scene: Any) -> Any:
        raise KeyError("a fault of ours")


def broken(plan: Plan) -> Plan:
    hi = plan.nodes["hi"]
    nodes = {**plan.nodes, "hi": msgspec.structs.replace(hi, kind=Breaking())}
    return msgspec.structs.replace(plan, nodes=nodes)


def test_a_node_that_breaks_is_left_by_failed() -> None:
    nodes = {"start": START, "hi": said("您好"), "sorry": said("稍等")}
    flow = drawn(nodes, "start.asked > hi", "hi.failed > sorry")
    _, effects = step(broken(prepare(flow)), FlowState(), HI)
    assert texts(effects) == ["稍等"]
    failed = next(e for e in effects if isinstance(e, Passed) and e.node == "hi")
    assert failed.note == {"reason": "The node failed inside: KeyError."}


def test_a_failure_that_leads_nowhere_brings_a_person_also_after_a_word() -> None:
    nodes = {"start": START, "first": said("一"), "hi": said("二")}
    plan = prepare(drawn(nodes, "start.asked > first", "first.next > hi"))
    _, effects = step(broken(plan), FlowState(variables={"who": "小林"}), HI)
    assert texts(effects) == ["一", "抱歉 小林"]
    assert effects[-1] == Handoff(why=Why.BOT_FAILED)


def test_too_many_variables_are_refused_and_the_rest_stays() -> None:
    sets = ("set", {"variables": {f"v{i}": "{{text}}" for i in range(5)}})
    nodes = {"start": START, "set": sets, "full": said("太长"), "ask": ASK}
    plan = prepare(
        drawn(nodes, "start.asked > set", "set.next > ask", "set.failed > full", "full.next > ask")
    )
    state, effects = step(plan, FlowState(variables={"a": 1}), VisitorSaid(text="长" * 400))
    assert texts(effects) == ["太长", "电话？"]
    assert state.variables == {"a": 1}


def test_a_waiting_state_stays_small_whatever_it_holds() -> None:
    plan = prepare(drawn({"start": START, "ask": ASK}, "start.asked > ask"))
    full = FlowState(
        variables={"a": "长" * 480}, dialogues={f"bot{i}": "x" * 64 for i in range(20)}
    )
    state, _ = step(plan, full, HI)
    assert state.variables == full.variables
    assert state.dialogues == {}, "a platform begins a dialogue anew; a visitor should not"
    assert len(msgspec.msgpack.encode(store(state))) <= MAX_STATE_BYTES
    crowded = FlowState(counters={f"counter{i}": i for i in range(300)})
    _, effects = step(plan, crowded, HI)
    assert effects[-1] == Handoff(why=Why.BOT_FAILED)


def test_a_plan_says_what_it_needs_to_know() -> None:
    assert not WAITS.needs.visitor
    assert prepare(drawn({"start": START, "hi": said("{{visitor.name}}")})).needs.visitor
    tests = [{"name": "agents_online", "op": "above", "value": "0"}]
    condition = ("condition", {"branches": [{"port": "a", "tests": tests}]})
    assert prepare(drawn({"start": START, "c": condition})).needs.agents


def test_what_is_known_of_the_visitor_is_said_and_forgotten() -> None:
    plan = prepare(
        drawn({"start": START, "hi": said("{{visitor.name}} 好"), "ask": ASK}, "start.asked > hi",
              "hi.next > ask")
    )  # fmt: skip
    about = About(attributes={"name": "小林"})
    state, effects = step(plan, FlowState(), VisitorSaid(text="好", about=about))
    assert texts(effects)[0] == "小林 好"
    assert state.about == About()
