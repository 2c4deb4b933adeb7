"""Whatever is drawn and whatever happens: the engine ends its turns, in words or with a person."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qingniao.flow import samples
from qingniao.flow.check import check
from qingniao.flow.effects import Effect, Handoff, Passed, Request, Say
from qingniao.flow.engine import MAX_STEPS, step
from qingniao.flow.events import (
    Answered,
    BotFailed,
    Classified,
    Event,
    Found,
    Hit,
    Moderated,
    ServiceFailed,
    TeamChosen,
    TimedOut,
    VisitorSaid,
    Wish,
)
from qingniao.flow.graph import Edge, Flow, Node
from qingniao.flow.nodes import KINDS
from qingniao.flow.plan import Plan, place, prepare
from qingniao.flow.state import FlowState, restore, store

SAMPLE = prepare(samples.read(samples.AFTER_SALES))
WORDS = {"zh-CN": "好"}
SETTINGS: dict[str, dict[str, Any]] = {
    "intent": {"routes": [{"port": "greeting", "intents": ["greeting"]}]},
    "say": {"text": WORDS},
    "ask_back": {"text": WORDS, "text_alone": WORDS, "limit": 3},
    "handoff": {"why": "asked", "text": WORDS, "router": "judge"},
}

text = st.text(max_size=8) | st.sampled_from(["1", "第二个", "转人工", "  "])
unit = st.floats(0.0, 1.0)
said = st.builds(VisitorSaid, text=text, locale=st.sampled_from(["zh-CN", "en", "fr"]),
                 files=st.integers(0, 2))  # fmt: skip
failures = st.just(TimedOut()) | st.builds(BotFailed, reason=text) | st.builds(
    ServiceFailed, reason=text
)  # fmt: skip
hits = st.lists(st.builds(Hit, id=text, question=text, confidence=unit), max_size=4)
wishes = st.builds(
    Wish, kind=st.sampled_from(["handoff", "tool", "dance"]), name=text, team=st.integers(0, 3)
)
replies: dict[str, st.SearchStrategy[Event]] = {
    "moderated": st.builds(Moderated, verdict=st.sampled_from(["clean", "flagged", "blocked"])),
    "classified": st.builds(
        Classified,
        intent=st.sampled_from(["", "greeting", "thanks", "refund"]),
        confidence=unit,
        wants_person=st.booleans(),
        angry=st.booleans(),
    ),
    "found": st.builds(Found, hits=hits.map(tuple)),
    "answered": st.builds(
        Answered,
        text=text,
        confidence=st.none() | unit,
        options=st.lists(text, max_size=4).map(tuple),
        wishes=st.lists(wishes, max_size=2).map(tuple),
    ),
    "team_chosen": st.builds(TeamChosen, team=st.integers(0, 3), said=text),
}
events = st.one_of(said, failures, *replies.values())


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Drawings, sound or not: any kinds, and lines from any way out to anywhere."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=8))
    nodes = [Node(id="start", kind="start")] + [
        Node(id=f"n{i}", kind=kind, settings=SETTINGS.get(kind, {})) for i, kind in enumerate(kinds)
    ]
    ids = [node.id for node in nodes]
    edges = []
    for node in nodes:
        here = place(node)
        for port in here.kind.ports(here.settings):
            if draw(st.booleans()) or draw(st.booleans()):
                target = draw(st.sampled_from(ids))
                edges.append(Edge(source=node.id, port=port.name, target=target))
    return Flow(id="f", fallback=WORDS, nodes=tuple(nodes), edges=tuple(edges))


def turn(plan: Plan, state: FlowState, first: VisitorSaid, data: st.DataObject) -> tuple[
    FlowState, list[Effect], int
]:  # fmt: skip
    """One turn: what is asked for is answered, or fails, until the flow rests."""
    state, effects = step(plan, state, first)
    all_effects, steps = list(effects), 1
    while state.awaiting not in ("", "said"):
        assert steps <= MAX_STEPS, "the turn does not end"
        state, effects = step(plan, state, data.draw(replies[state.awaiting] | failures))
        all_effects += effects
        steps += 1
    return state, all_effects, steps


@given(st.lists(events, max_size=30))
def test_the_first_flow_takes_any_sequence_of_events(sequence: list[Event]) -> None:
    state = FlowState()
    for event in sequence:
        state, effects = step(SAMPLE, state, event)
        assert restore(store(state)) == state
        assert sum(isinstance(effect, Request) for effect in effects) <= 1
        assert all(not isinstance(effect, Request) for effect in effects[:-1])


@given(flows(), st.lists(events, max_size=20))
def test_any_drawing_takes_any_sequence_of_events(flow: Flow, sequence: list[Event]) -> None:
    plan, state = prepare(flow), FlowState()
    for event in sequence:
        state, effects = step(plan, state, event)
        assert restore(store(state)) == state
        assert len(effects) <= 3 * MAX_STEPS


@given(flows(), st.lists(said, min_size=1, max_size=4), st.data())
def test_every_turn_ends_in_words_or_with_a_person(
    flow: Flow, messages: list[VisitorSaid], data: st.DataObject
) -> None:
    plan, state = prepare(flow), FlowState()
    for message in messages:
        state, effects, _ = turn(plan, state, message, data)
        assert any(isinstance(effect, Say | Handoff) for effect in effects)
        handed = [index for index, effect in enumerate(effects) if isinstance(effect, Handoff)]
        assert handed in ([], [len(effects) - 1]), "nothing follows a handoff"


@given(flows(), st.lists(said, min_size=1, max_size=3), st.data())
def test_a_checked_drawing_never_needs_to_be_rescued(
    flow: Flow, messages: list[VisitorSaid], data: st.DataObject
) -> None:
    if check(flow):
        return
    plan, state = prepare(flow), FlowState()
    for message in messages:
        state, effects, _ = turn(plan, state, message, data)
        if isinstance(effects[-1], Handoff):
            passed = [effect for effect in effects if isinstance(effect, Passed)]
            assert passed[-1].kind == "handoff" or passed[-1].port == "person"


@given(st.lists(said, min_size=1, max_size=4), st.data())
def test_the_first_flow_never_needs_to_be_rescued(
    messages: list[VisitorSaid], data: st.DataObject
) -> None:
    state = FlowState()
    for message in messages:
        state, effects, _ = turn(SAMPLE, state, message, data)
        if isinstance(effects[-1], Handoff):
            assert any(isinstance(e, Passed) and e.kind == "handoff" for e in effects)


@given(st.lists(said, min_size=2, max_size=6), st.data())
def test_the_first_flow_asks_back_at_most_once_in_a_row(
    messages: list[VisitorSaid], data: st.DataObject
) -> None:
    state, row = FlowState(), 0
    for message in messages:
        state, effects, _ = turn(SAMPLE, state, message, data)
        asked = any(
            isinstance(e, Passed) and e.node == "ask_back" and "options" in e.note for e in effects
        )
        answered = any(isinstance(e, Passed) and e.port == "answered" for e in effects)
        handed = isinstance(effects[-1], Handoff)
        row = 0 if answered or handed else row + asked
        assert row <= 1
