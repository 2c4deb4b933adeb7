"""What may be published: every rule of a sound drawing has a drawing that breaks it."""

from typing import Any

import msgspec
import pytest

from qingniao.flow import samples
from qingniao.flow.check import MAX_PROBLEMS, Known, check, errors
from qingniao.flow.graph import MAX_FLOW_BYTES, MAX_NODES, Edge, Flow, Node, convert, decode
from qingniao.flow.plan import FlowUnreadable, prepare

SORRY = {"zh-CN": "抱歉"}
SAY = {"text": SORRY}


def flow(nodes: dict[str, str | tuple[str, dict[str, Any]]], *lines: str) -> Flow:
    """Nodes by id; lines such as `"start.asked > hi"`."""
    edges = []
    for line in lines:
        way, _, target = line.partition(" > ")
        source, _, port = way.partition(".")
        edges.append(Edge(source=source, port=port, target=target))
    drawn = [
        Node(id=id, kind=kind, settings=SAY if kind == "say" else {})
        if isinstance(kind, str)
        else Node(id=id, kind=kind[0], settings=kind[1])
        for id, kind in nodes.items()
    ]
    return Flow(id="f", fallback=SORRY, nodes=tuple(drawn), edges=tuple(edges))


def problems(drawing: Flow) -> set[tuple[str, str]]:
    return {(problem.code, problem.node) for problem in check(drawing)}


SMALL = {"start": "start", "hi": "say", "end": "end"}
LINES = ("start.asked > hi", "hi.next > end")


def test_a_sound_drawing_has_no_problems() -> None:
    assert check(flow(SMALL, *LINES)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("name", samples.NAMES)
def test_samples_have_no_problems(name: str) -> None:
    assert check(samples.read(name)) == []


@pytest.mark.parametrize(
    ("drawing", "problem"),
    [
        (flow({"hi": "say"}, "hi.next > hi"), ("no_start", "")),
        (flow({**SMALL, "s2": "start"}, *LINES, "s2.asked > hi"), ("two_starts", "s2")),
        (flow({**SMALL, "": "say"}, *LINES), ("no_id", "")),
        (flow({**SMALL, "odd": "teleport"}, *LINES), ("unreadable", "odd")),
        (flow({**SMALL, "odd": ("say", {"text": 3})}, *LINES), ("unreadable", "odd")),
        (flow({**SMALL, "odd": ("say", {**SAY, "colour": "red"})}, *LINES), ("unreadable", "odd")),
        (flow({**SMALL, "odd": ("say", {"text": {}})}, *LINES), ("text_missing", "odd")),
        (flow({**SMALL, "a/b": "say"}, *LINES), ("no_id", "a/b")),
        (flow({**SMALL, "ask": ("ask", {"text": SORRY, "into": "x"})}, *LINES, "hi.failed > ask"),
         ("unconnected", "ask")),
        (flow({**SMALL, "bot": "answer"}, *LINES, "hi.failed > bot"), ("no_fallback", "bot")),
        (flow({**SMALL, "odd": ("say", {"text": {"zh-CN": "{{1+1}}"}})}, *LINES),
         ("template", "odd")),
        (flow(SMALL, *LINES, "hi.next > nowhere"), ("dangling", "hi")),
        (flow(SMALL, *LINES, "nowhere.next > hi"), ("dangling", "hi")),
        (flow(SMALL, *LINES, "hi.later > end"), ("no_port", "hi")),
        (flow(SMALL, *LINES, "start.file > start"), ("into_start", "start")),
        (flow({**SMALL, "e2": "end"}, *LINES, "hi.next > e2"), ("forked", "hi")),
        (flow(SMALL, "start.asked > hi"), ("unconnected", "hi")),
        (flow({**SMALL, "far": "say"}, *LINES, "far.next > end"), ("unreachable", "far")),
        (flow({"start": "start", "end": "end"}, "start.asked > end"), ("silent_end", "end")),
        (flow({**SMALL, "ho": "say"}, "start.asked > hi", "hi.next > ho", "ho.next > hi"),
         ("circle", "hi")),
        (flow({**SMALL, "w": ("wait", {"for_s": 9})}, "start.asked > hi", "hi.next > w",
              "w.elapsed > hi"), ("circle", "w")),
        (flow({"start": "start", "w": ("wait", {"for_s": 9}), "end": "end"}, "start.asked > w",
              "w.elapsed > end"), ("silent_end", "end")),
    ],
)  # fmt: skip
def test_fault_is_told_at_its_node(drawing: Flow, problem: tuple[str, str]) -> None:
    assert problem in problems(drawing)
    assert all(found.text.endswith(".") for found in check(drawing))
    assert all(found.mend.endswith(".") for found in check(drawing))


def test_two_nodes_with_one_id() -> None:
    node = Node(id="hi", kind="say", settings=SAY)
    sound = flow(SMALL, *LINES)  # type: ignore[arg-type]
    assert ("same_id", "hi") in problems(msgspec.structs.replace(sound, nodes=(*sound.nodes, node)))


def test_too_many_nodes() -> None:
    many = {f"n{i}": "say" for i in range(501)}
    assert ("too_large", "") in problems(flow({"start": "start", **many}))


def test_five_thousand_nodes_are_answered_with_a_sentence() -> None:
    nodes = {"start": "start", **{f"n{i}": "say" for i in range(5_000)}}
    lines = (f"n{i}.next > n{i + 1}" for i in range(4_999))
    found = check(flow(nodes, "start.asked > n0", *lines))  # type: ignore[arg-type]
    assert [problem.code for problem in found] == ["too_large", "too_many_lines"]
    assert "5001" in found[0].text


def test_a_chain_of_all_nodes_is_looked_into_and_is_too_long_for_a_turn() -> None:
    nodes = {"start": "start", **{f"n{i}": "say" for i in range(MAX_NODES - 2)}, "end": "end"}
    lines = [f"n{i}.next > n{i + 1}" for i in range(MAX_NODES - 3)]
    last = f"n{MAX_NODES - 3}.next > end"
    drawing = flow(nodes, "start.asked > n0", *lines, last)  # type: ignore[arg-type]
    assert problems(drawing) == {("too_long", "start")}


def test_as_many_circles_as_there_can_be_are_all_found() -> None:
    nodes = {"start": "start", **{f"n{i}": "say" for i in range(MAX_NODES - 1)}}
    lines = [f"n{i}.next > n{i ^ 1}" for i in range(MAX_NODES - 2)]
    found = check(flow(nodes, "start.asked > n0", *lines))  # type: ignore[arg-type]
    assert len(found) == MAX_PROBLEMS


CALLEE = flow({"start": "start", "hi": "say", "end": "end"}, "start.asked > hi", "hi.next > end")


def named(drawing: Flow, name: str) -> Flow:
    return msgspec.structs.replace(drawing, id=name)


def calling(name: str) -> Flow:
    nodes: dict[str, Any] = {"start": "start", "call": ("subflow", {"flow": name}), "end": "end"}
    return flow(nodes, "start.asked > call", "call.done > end")


def test_a_flow_that_is_called_counts_as_what_it_says() -> None:
    known = Known(flows={"greet": named(CALLEE, "greet")})
    assert check(calling("greet"), known) == []
    quiet = flow({"start": "start", "end": "end"}, "start.asked > end")
    known = Known(flows={"greet": named(quiet, "greet")})
    assert [(p.code, p.node) for p in check(calling("greet"), known)] == [("silent_end", "end")]


def test_flows_that_call_each_other_are_refused() -> None:
    known = Known(flows={"greet": named(calling("f"), "greet")})
    found = check(calling("greet"), known)
    assert ("callee", "call") in {(p.code, p.node) for p in found}
    assert "calls itself" in next(p.text for p in found if p.code == "callee")


def test_what_does_not_exist_elsewhere_is_told_at_the_node_that_uses_it() -> None:
    fetch = {
        "url": "https://a.example/{{text}}",
        "headers": {"X-Key": "{{secret.key}}"},
        "deadline_s": 1,
    }
    drawing = flow(
        {
            "start": "start",
            "bot": ("answer", {"bot": "gone"}),
            "call": ("subflow", {"flow": "gone"}),
            "get": ("http", fetch),
            "help": ("handoff", {"why": "unsure", "text": SORRY}),
        },
        "start.asked > bot", "bot.answered > help", "bot.unsure > call", "bot.failed > help",
        "call.done > get", "get.done > help", "get.failed > help",
    )  # fmt: skip
    known = Known(bots={"local"}, secrets=())
    assert {(p.code, p.node) for p in check(drawing, known)} == {
        ("unknown_bot", "bot"),
        ("unknown_flow", "call"),
        ("unknown_secret", "get"),
    }
    codes = {p.code for p in check(drawing)}
    assert codes == {"unknown_flow"}, "what nobody knows is not held against a drawing"


def test_a_name_that_nothing_sets_is_a_warning() -> None:
    drawing = flow(
        {"start": "start", "hi": ("say", {"text": {"zh-CN": "您好 {{order}}，{{visitor.name}}"}})},
        "start.asked > hi", "hi.next > hi",
    )  # fmt: skip
    drawing = msgspec.structs.replace(drawing, edges=drawing.edges[:1])
    found = [p for p in check(drawing) if p.code == "unknown_name"]
    assert [(p.args, p.level) for p in found] == [({"name": "order"}, "warning")]
    assert errors(found) == []


def test_a_flow_needs_words_for_its_own_failure() -> None:
    sound = flow(SMALL, *LINES)  # type: ignore[arg-type]
    assert ("fallback", "") in problems(msgspec.structs.replace(sound, fallback={}))


ASKS = ("ask_back", {"text": SORRY, "text_alone": SORRY})
HELPS = ("handoff", {"why": "unsure", "text": SORRY})


def test_a_circle_with_a_wait_is_no_circle() -> None:
    drawing = flow(
        {"start": "start", "ask": ASKS, "help": HELPS},
        "start.asked > ask", "ask.replied > ask", "ask.given_up > help",
    )  # fmt: skip
    assert check(drawing) == []


def test_after_a_wait_a_word_is_owed_again() -> None:
    drawing = flow(
        {"start": "start", "ask": ASKS, "help": HELPS, "end": "end"},
        "start.asked > ask", "ask.replied > end", "ask.given_up > help",
    )  # fmt: skip
    assert problems(drawing) == {("silent_end", "end")}


def test_unreadable_flows_cannot_be_prepared() -> None:
    with pytest.raises(FlowUnreadable, match="teleport"):
        prepare(flow({**SMALL, "odd": "teleport"}))
    with pytest.raises(FlowUnreadable, match=r"Expected `object`|Expected `str`"):
        prepare(flow({**SMALL, "odd": ("say", {"text": 3})}))
    with pytest.raises(FlowUnreadable, match="no start"):
        prepare(flow({"hi": "say"}))


def test_a_stored_flow_has_a_largest_size() -> None:
    with pytest.raises(msgspec.ValidationError, match="at most"):
        decode(b" " * (MAX_FLOW_BYTES + 1))


def test_a_flow_survives_being_written_and_read() -> None:
    sample = samples.read(samples.AFTER_SALES)
    assert decode(msgspec.json.encode(sample)) == sample
    assert convert(msgspec.to_builtins(sample)) == sample


def test_team_that_is_gone_is_found() -> None:
    settings = {"why": "asked", "text": SORRY, "team": 3}
    drawing = flow({"start": "start", "person": ("handoff", settings)}, "start.asked > person")
    assert check(drawing, Known(teams={3})) == check(drawing) == []
    (problem,) = check(drawing, Known(teams={4}))
    assert (problem.code, problem.node) == ("unknown_team", "person")
    assert problem.text.endswith(".")


def test_undrawn_way_for_a_bots_call_is_no_problem() -> None:
    lines = ("start.asked > bot", *(f"bot.{port} > hi" for port in ("answered", "unsure")))
    drawing = flow({**SMALL, "bot": "answer"}, *lines, "bot.failed > hi", "hi.next > end")
    assert check(drawing) == []
