"""May this flow be published? Owns the rules of a sound drawing; a fault is a sentence at a node.

Rule: a flow without errors answers every message or calls a person, whatever its services do.
Warnings are for the person who draws and hold nothing up.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, Literal

from msgspec import Struct

from qingniao.flow.engine import MAX_STEPS
from qingniao.flow.graph import MAX_EDGES, MAX_NODES, Edge, Flow
from qingniao.flow.nodes.base import FAILED, Fault, Port, text_faults
from qingniao.flow.plan import (
    START,
    FlowUnreadable,
    Placed,
    called_by,
    inline,
    place,
    prepare,
    ways_out,
)
from qingniao.flow.walks import circles, longest, reach

__all__ = ["Known", "Problem", "check", "errors"]

END: Final = "end"
MAX_PROBLEMS: Final = 200
"""Enough to mend; nobody reads more."""
MAX_ID_CHARS: Final = 64

LEARNT: Final = frozenset(
    {"text", "locale", "intent", "confidence", "angry", "options", "offered", "rating",
     "http_status", "agents_online"}
)  # fmt: skip
"""Names that can be looked up although no node sets them."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. `code` is for programs, with `args` to put into a translation; `text` and `mend`
    say to the person who draws what is wrong and what to do; `node` is empty when it concerns the
    whole flow."""

    code: str
    text: str
    node: str = ""
    mend: str = ""
    args: dict[str, str | int] = {}
    level: Literal["error", "warning"] = "error"


class Known(Struct, frozen=True, kw_only=True):
    """What exists elsewhere in the house; `None`: it is not known, and nothing is said about it.

    `flows`: what can be called, in the published version.
    """

    bots: Collection[str] | None = None
    flows: Mapping[str, Flow] = {}
    teams: Collection[int] | None = None
    knowledge: Collection[str] | None = None
    secrets: Collection[str] | None = None

    def of(self, what: str) -> Collection[str] | None:
        """All of one sort."""
        return {
            "bot": self.bots,
            "flow": self.flows,
            "knowledge": self.knowledge,
            "secret": self.secrets,
        }.get(what)


Ways = dict[str, list[tuple[Port, str]]]
"""For each node the ways out that lead somewhere: the port and the node it leads to."""


def check(flow: Flow, known: Known | None = None) -> list[Problem]:
    """Every problem of `flow`, in the order of the drawing; without an error it may be published.

    A drawing that is too large is not looked into, so the answer comes at once.
    """
    known = known or Known()
    too_large = list(_size(flow))
    if too_large:
        return too_large
    placed, problems = _read(flow)
    if known.teams is not None:
        problems += _strangers(placed, known.teams)
    problems += _whole(flow)
    problems += _edges(flow, placed)
    problems += _unconnected(flow.edges, placed)
    problems += _unknown(placed, known)
    nodes, ways = _expanded(flow, placed, known, problems)
    start = next((node.id for node in flow.nodes if node.kind == START), "")
    if start in placed:
        problems += _unreachable(placed, ways, start)
        problems += _silent_ends(nodes, ways, start)
        problems += _names(placed, nodes)
    problems += _circles(placed, ways)
    return problems[:MAX_PROBLEMS]


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that keep a flow from being published."""
    return [problem for problem in problems if problem.level == "error"]


def _size(flow: Flow) -> Iterator[Problem]:
    if len(flow.nodes) > MAX_NODES:
        yield Problem(
            code="too_large",
            text=f"A flow has at most {MAX_NODES} nodes; this one has {len(flow.nodes)}.",
            mend="Move parts of it into flows of their own and call them.",
            args={"most": MAX_NODES, "nodes": len(flow.nodes)},
        )
    if len(flow.edges) > MAX_EDGES:
        yield Problem(
            code="too_many_lines",
            text=f"A flow has at most {MAX_EDGES} lines; this one has {len(flow.edges)}.",
            mend="Move parts of it into flows of their own and call them.",
            args={"most": MAX_EDGES, "edges": len(flow.edges)},
        )


def _read(flow: Flow) -> tuple[dict[str, Placed], list[Problem]]:
    placed: dict[str, Placed] = {}
    problems: list[Problem] = []
    for node in flow.nodes:
        if not node.id or len(node.id) > MAX_ID_CHARS or "/" in node.id:
            problems.append(
                Problem(
                    code="no_id",
                    text=f"A node has no id, or one above {MAX_ID_CHARS} characters or with a “/”.",
                    node=node.id[:MAX_ID_CHARS],
                    mend="Give it a short name.",
                )
            )
        elif node.id in placed:
            problems.append(
                Problem(
                    code="same_id",
                    text="Two nodes have this id.",
                    node=node.id,
                    mend="Give one of them another id.",
                )
            )
        else:
            try:
                here = placed[node.id] = place(node)
            except FlowUnreadable as exc:
                problems.append(
                    Problem(
                        code="unreadable",
                        text=str(exc),
                        node=node.id,
                        mend="Set it again, or remove the node.",
                    )
                )
            else:
                faults = here.kind.faults(here.settings)
                problems += (_of_fault(text, node.id) for text in faults)
    return placed, problems


def _of_fault(text: str, node: str, code: str = "settings") -> Problem:
    if isinstance(text, Fault):
        return Problem(
            code=text.code if code == "settings" else code,
            text=str(text),
            node=node,
            mend=text.mend,
            args=text.args,
        )
    return Problem(code=code, text=text, node=node, mend="Change the setting.")


def _strangers(placed: dict[str, Placed], teams: Collection[int]) -> Iterator[Problem]:
    for node, here in placed.items():
        if any(team not in teams for team in here.kind.teams(here.settings)):
            yield Problem(
                code="unknown_team",
                text="The team that is to be asked here does not exist any more.",
                node=node,
                mend="Choose another team.",
            )


def _whole(flow: Flow) -> Iterator[Problem]:
    starts = [node.id for node in flow.nodes if node.kind == START]
    if not starts:
        yield Problem(
            code="no_start", text="The flow has no start.", mend="Add a start and connect it."
        )
    for extra in starts[1:]:
        yield Problem(
            code="two_starts",
            text="A flow has one start only.",
            node=extra,
            mend="Remove it; one start can have several triggers.",
        )
    for text in text_faults(flow.fallback, "The sentence for a failing flow"):
        yield _of_fault(text, "", "fallback")


def _edges(flow: Flow, placed: dict[str, Placed]) -> Iterator[Problem]:
    ids = {node.id for node in flow.nodes}
    drawn = Counter((edge.source, edge.port) for edge in flow.edges)
    for edge in flow.edges:
        source = placed.get(edge.source)
        if edge.source not in ids or edge.target not in ids:
            at = edge.source if edge.source in ids else edge.target if edge.target in ids else ""
            yield Problem(
                code="dangling",
                text="A line leads to or from nowhere.",
                node=at,
                mend="Remove the line, or lead it to a node.",
            )
        elif source is not None and edge.port not in _port_names(source):
            yield Problem(
                code="no_port",
                text=f"There is no way out called {edge.port!r} here.",
                node=edge.source,
                mend="Remove the line, or name a way out so.",
                args={"port": edge.port},
            )
        elif (target := placed.get(edge.target)) is not None and target.kind.name == START:
            yield Problem(
                code="into_start",
                text="Nothing can lead back to the start; lead to the node after it.",
                node=edge.source,
                mend="Lead the line to the node after the start.",
            )
    for (node, port), count in drawn.items():
        if count > 1 and node in ids:
            yield Problem(
                code="forked",
                text=f"The way out {port!r} leads to {count} nodes; it can lead to one.",
                node=node,
                mend="Keep one line; a condition or a split decides between several.",
                args={"port": port, "count": count},
            )


def _port_names(placed: Placed) -> set[str]:
    return {port.name for port in ways_out(placed)}


def _unconnected(edges: Iterable[Edge], placed: dict[str, Placed]) -> Iterator[Problem]:
    drawn = {(edge.source, edge.port) for edge in edges if edge.target in placed}
    for node, here in placed.items():
        for port in ways_out(here):
            if (node, port.name) in drawn or port.otherwise or port.calls:
                continue
            fails = port.name == FAILED
            yield Problem(
                code="no_fallback" if fails else "unconnected",
                text=f"The way out {port.name!r} leads nowhere: the visitor would wait in vain.",
                node=node,
                mend=(
                    "Lead it to a person, or to another answer for when this one fails."
                    if fails
                    else "Lead it to what should happen then."
                ),
                args={"port": port.name},
            )


def _unknown(placed: dict[str, Placed], known: Known) -> Iterator[Problem]:
    for node, here in placed.items():
        for what, name in here.kind.uses(here.settings):
            there = known.of(what)
            if there is not None and name not in there:
                yield Problem(
                    code=f"unknown_{what}",
                    text=f"There is no {what} called {name!r}, or it is not published.",
                    node=node,
                    mend=f"Choose another {what}, or make and publish this one first.",
                    args={"name": name},
                )


def _expanded(
    flow: Flow, placed: dict[str, Placed], known: Known, problems: list[Problem]
) -> tuple[dict[str, Placed], Ways]:
    """The nodes and ways with those of the flows that are called."""
    nodes = dict(placed)
    drawn: dict[tuple[str, str], str] = {}
    for edge in flow.edges:
        drawn.setdefault((edge.source, edge.port), edge.target)
    callees = {**known.flows, flow.id: flow}
    for id, here in placed.items():
        called = callees.get(called_by(here))
        if called is None:
            continue
        try:
            inline(nodes, drawn, here, prepare(called, callees))
        except FlowUnreadable as exc:
            problems.append(
                Problem(
                    code="callee",
                    text=f"The flow {called.id!r} cannot be called. {exc}",
                    node=id,
                    mend="Mend that flow, or call another one; no flow may call itself.",
                    args={"name": called.id},
                )
            )
    ways: Ways = {id: [] for id in nodes}
    for id, here in nodes.items():
        for port in ways_out(here):
            target = drawn.get((id, port.name), drawn.get((id, port.otherwise)))
            if target in nodes:
                ways[id].append((port, target))
    return nodes, ways


def _targets(ways: Ways, *, silently: bool = False, hastily: bool = False) -> dict[str, list[str]]:
    return {
        node: [
            target
            for port, target in out
            if not (silently and port.speaks) and not (hastily and port.waits)
        ]
        for node, out in ways.items()
    }


def _unreachable(placed: dict[str, Placed], ways: Ways, start: str) -> Iterator[Problem]:
    reached = reach(_targets(ways), [start])
    for node in placed:
        if node not in reached:
            yield Problem(
                code="unreachable",
                text="No way leads here from the start.",
                node=node,
                mend="Lead a line here, or remove the node.",
            )


def _silent_ends(nodes: dict[str, Placed], ways: Ways, start: str) -> Iterator[Problem]:
    # After a wait the visitor has written anew and is owed a word again.
    anew = [target for port, target in chain.from_iterable(ways.values()) if port.waits]
    reached = reach(_targets(ways, silently=True), [start, *anew])
    for node in nodes:
        if node in reached and nodes[node].kind.name == END and not ways[node]:
            yield Problem(
                code="silent_end",
                text="A visitor can come here without having been answered or handed to a person.",
                node=node.partition("/")[0],
                mend="Say something on the way here, or hand over to a person instead.",
            )


def _names(placed: dict[str, Placed], nodes: dict[str, Placed]) -> Iterator[Problem]:
    """Values that are looked up and that nothing sets: most likely a slip of the pen."""
    there = set(LEARNT)
    for here in nodes.values():
        there.update(here.kind.sets(here.settings))
    for node, here in placed.items():
        for name in dict.fromkeys(here.kind.reads(here.settings)):
            if name not in there and not name.startswith("visitor."):
                yield Problem(
                    code="unknown_name",
                    text=f"Nothing in this flow sets {name!r}; it would be empty.",
                    node=node,
                    mend="Mend the name, or set it in a node before this one.",
                    args={"name": name},
                    level="warning",
                )


def _circles(placed: dict[str, Placed], ways: Ways) -> Iterator[Problem]:
    """Nodes that can be come to from themselves without the visitor writing in between, and ways
    that are longer than a turn may be."""
    hasty = _targets(ways, hastily=True)
    round_and_round = circles(hasty)
    told = {node.partition("/")[0] for node in round_and_round}
    for node in placed:
        if node in told:
            yield Problem(
                code="circle",
                text="The flow can go round in circles here without waiting for the visitor.",
                node=node,
                mend="Ask the visitor something in the circle, or lead it to a person.",
            )
    length, at = longest(hasty, without=round_and_round)
    if 2 * length > MAX_STEPS:
        yield Problem(
            code="too_long",
            text=f"{length} nodes follow each other here without waiting for the visitor;"
            f" at most {MAX_STEPS // 2} can.",
            node=at.partition("/")[0],
            mend="Wait for the visitor on the way, or join nodes.",
            args={"most": MAX_STEPS // 2, "nodes": length},
        )
