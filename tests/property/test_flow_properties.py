"""Whatever is drawn and whatever happens: the engine ends its turns, in words or with a person."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qingniao.flow import samples
from qingniao.flow.check import Known, check, errors
from qingniao.flow.effects import Effect, Handoff, Passed, Request, Say, Wait
from qingniao.flow.engine import MAX_SAYS, MAX_STATE_BYTES, MAX_STEPS, step
from qingniao.flow.events import (
    About,
    Answered,
    BotFailed,
    Classified,
    Elapsed,
    Event,
    Fetched,
    Found,
    Hit,
    Moderated,
    Remembered,
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
    "buttons": {
        "text": {"zh-CN": "{{x}}？"},
        "buttons": [{"port": "a", "label": WORDS}, {"port": "b", "label": {"zh-CN": "坏"}}],
        "into": "x",
        "timeout_s": 60,
    },
    "cards": {"text": WORDS, "cards": [{"title": WORDS, "link": "https://a.example/{{text}}"}]},
    "ask": {"text": WORDS, "into": "x", "form": "number", "attribute": "note", "timeout_s": 60},
    "condition": {
        "branches": [
            {"port": "a", "tests": [{"name": "x", "op": "above", "value": "1"}]},
            {"port": "b", "tests": [{"name": "agents_online", "op": "at_least", "value": "1"}]},
        ]
    },
    "set": {"variables": {"y": "{{x}}{{y}}{{text}}"}, "add": {"n": 1}, "tags": ["{{text}}"]},
    "http": {"url": "https://a.example/{{text}}", "body": "", "take": {"x": "a.b"}},
    "wait": {"for_s": 60},
    "rating": {"text": WORDS, "into": "score", "timeout_s": 60},
    "subflow": {"flow": "other"},
    "split": {"shares": [{"port": "a"}, {"port": "b"}]},
    "start": {"triggers": [{"port": "again", "on": "keyword", "words": ["1"]},
                           {"port": "idle", "on": "idle"}]},
}  # fmt: skip
OTHER = Flow(
    id="other",
    fallback=WORDS,
    nodes=(Node(id="s", kind="start"), Node(id="hi", kind="say", settings={"text": WORDS}),
           Node(id="q", kind="ask", settings={"text": WORDS, "into": "z"}),
           Node(id="e", kind="end"),
           Node(id="h", kind="handoff", settings={"why": "unsure", "text": WORDS})),
    edges=(Edge(source="s", port="asked", target="hi"), Edge(source="hi", port="next", target="q"),
           Edge(source="q", port="captured", target="e"),
           Edge(source="q", port="given_up", target="h")),
)  # fmt: skip
CALLEES = {"other": OTHER}
KNOWN = Known(flows=CALLEES)

text = st.text(max_size=8) | st.sampled_from(["1", "第二个", "转人工", "  "])
unit = st.floats(0.0, 1.0)
abouts = st.builds(About, now_ms=st.integers(0, 2**42), is_first=st.booleans(),
                   agents_online=st.none() | st.integers(0, 3))  # fmt: skip
said = st.builds(VisitorSaid, text=text, locale=st.sampled_from(["zh-CN", "en", "fr"]),
                 files=st.integers(0, 2), about=abouts)  # fmt: skip
elapsed = st.builds(Elapsed, about=abouts)
values = st.none() | st.text(max_size=900) | st.integers(-9, 9) | st.booleans()
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
replies["fetched"] = st.builds(
    Fetched,
    status=st.integers(100, 599),
    values=st.dictionaries(st.sampled_from(["x", "q"]), values.filter(lambda v: v is not None)),
)
replies["remembered"] = st.just(Remembered())
events = st.one_of(said, elapsed, failures, *replies.values())


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Drawings, sound or not: any kinds, and lines from any way out to anywhere."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=8))
    begins = SETTINGS["start"] if draw(st.booleans()) else {}
    nodes = [Node(id="start", kind="start", settings=begins)] + [
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


@st.composite
def sound_flows(draw: st.DrawFn) -> Flow:
    """Drawings that may be published: every line leads on, or back to where the visitor is asked;
    what nothing leads to is left out, and the last node is a person."""
    kinds = draw(st.lists(st.sampled_from(sorted(set(KINDS) - {"start", "end"})), max_size=10))
    begins = SETTINGS["start"] if draw(st.booleans()) else {}
    nodes = [Node(id="start", kind="start", settings=begins)] + [
        Node(id=f"n{i}", kind=kind, settings=SETTINGS.get(kind, {})) for i, kind in enumerate(kinds)
    ]
    nodes.append(Node(id="person", kind="handoff", settings=SETTINGS["handoff"]))
    edges = []
    for at, node in enumerate(nodes[:-1]):
        here = place(node)
        for port in here.kind.ports(here.settings):
            if (port.otherwise or port.calls) and draw(st.booleans()):
                continue
            after = [later.id for later in nodes[at + 1 :]]
            if port.waits:
                after += [earlier.id for earlier in nodes[1 : at + 1]]
            target = draw(st.sampled_from(after))
            edges.append(Edge(source=node.id, port=port.name, target=target))
    reached = {"start"}
    for _ in nodes:
        reached |= {edge.target for edge in edges if edge.source in reached}
    return Flow(
        id="f",
        fallback=WORDS,
        nodes=tuple(node for node in nodes if node.id in reached),
        edges=tuple(edge for edge in edges if edge.source in reached),
    )


def turn(plan: Plan, state: FlowState, first: VisitorSaid | Elapsed, data: st.DataObject) -> tuple[
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
    plan, state = prepare(flow, CALLEES), FlowState()
    for event in sequence:
        state, effects = step(plan, state, event)
        assert restore(store(state)) == state
        assert len(effects) <= 3 * MAX_STEPS
        assert sum(isinstance(effect, Say) for effect in effects) <= MAX_SAYS + 1
        if state.awaiting == "said":
            assert len(msgspec.msgpack.encode(state)) <= MAX_STATE_BYTES


@given(flows(), st.lists(said, min_size=1, max_size=4), st.data())
def test_every_turn_ends_in_words_or_with_a_person(
    flow: Flow, messages: list[VisitorSaid], data: st.DataObject
) -> None:
    plan, state = prepare(flow, CALLEES), FlowState()
    for message in messages:
        state, effects, _ = turn(plan, state, message, data)
        # A word may come later, when a time is up; it is owed until then.
        assert any(isinstance(effect, Say | Handoff | Wait) for effect in effects)
        handed = [index for index, effect in enumerate(effects) if isinstance(effect, Handoff)]
        assert handed in ([], [len(effects) - 1]), "nothing follows a handoff"


@given(sound_flows(), st.lists(said | elapsed, min_size=1, max_size=5), st.data())
def test_a_sound_drawing_never_needs_to_be_rescued(
    flow: Flow, sequence: list[VisitorSaid | Elapsed], data: st.DataObject
) -> None:
    assert errors(check(flow, KNOWN)) == []
    plan, state = prepare(flow, CALLEES), FlowState()
    for event in sequence:
        state, effects, _ = turn(plan, state, event, data)
        if isinstance(event, VisitorSaid):
            # A word may come later, when a time is up; it is owed until then.
            assert any(isinstance(effect, Say | Handoff | Wait) for effect in effects)
        if effects and isinstance(effects[-1], Handoff):
            passed = [effect for effect in effects if isinstance(effect, Passed)]
            # A way out for errors that is not drawn leads to a person too.
            assert passed[-1].kind == "handoff" or passed[-1].port in ("failed", "person")


@given(flows(), st.lists(said | elapsed, min_size=1, max_size=12), st.data())
def test_timers_alone_never_keep_a_flow_going(
    flow: Flow, sequence: list[VisitorSaid | Elapsed], data: st.DataObject
) -> None:
    plan, state = prepare(flow, CALLEES), FlowState()
    for event in sequence:
        state, _, _ = turn(plan, state, event, data)
    for _ in range(MAX_STEPS + 1):
        state, effects, _ = turn(plan, state, Elapsed(), data)
        if not any(isinstance(effect, Wait) for effect in effects):
            break
    else:
        raise AssertionError("timers follow each other for ever")


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
