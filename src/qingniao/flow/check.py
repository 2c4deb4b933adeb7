"""May this flow be published? Owns the rules of a sound drawing; a fault is a sentence at a node.

Rule: a flow without problems answers every message or calls a person, whatever its services do.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from msgspec import Struct

from qingniao.flow.graph import MAX_NODES, Edge, Flow
from qingniao.flow.nodes.base import Port, text_faults
from qingniao.flow.plan import START, FlowUnreadable, Placed, place

__all__ = ["Problem", "check"]

END = "end"


class Problem(Struct, frozen=True, kw_only=True):
    """One fault. `code` is for programs, `text` for the person who draws; `node` is empty when it
    concerns the whole flow."""

    code: str
    text: str
    node: str = ""


Ways = dict[str, list[tuple[Port, str]]]
"""For each node the drawn ways out: the port and the node it leads to."""


def check(flow: Flow, *, teams: Collection[int] | None = None) -> list[Problem]:
    """Every problem of `flow`, in the order of the drawing; empty: it may be published.

    `teams`: the numbers of those there are; `None`: not known here, and not looked at.
    """
    placed, problems = _read(flow)
    if teams is not None:
        problems += _strangers(placed, teams)
    problems += _whole(flow)
    problems += _edges(flow, placed)
    ways = _ways(flow.edges, placed)
    problems += _unconnected(placed, ways)
    start = next((node.id for node in flow.nodes if node.kind == START), "")
    if start in placed:
        problems += _unreachable(placed, ways, start)
        problems += _silent_ends(placed, ways, start)
    problems += _circles(placed, ways)
    return problems


def _read(flow: Flow) -> tuple[dict[str, Placed], list[Problem]]:
    placed: dict[str, Placed] = {}
    problems: list[Problem] = []
    for node in flow.nodes:
        if not node.id:
            problems.append(Problem(code="no_id", text="A node has no id."))
        elif node.id in placed:
            text = "Two nodes have this id."
            problems.append(Problem(code="same_id", text=text, node=node.id))
        else:
            try:
                here = placed[node.id] = place(node)
            except FlowUnreadable as exc:
                problems.append(Problem(code="unreadable", text=str(exc), node=node.id))
            else:
                problems += (
                    Problem(code="settings", text=text, node=node.id)
                    for text in here.kind.faults(here.settings)
                )
    return placed, problems


def _strangers(placed: dict[str, Placed], teams: Collection[int]) -> Iterator[Problem]:
    for node, here in placed.items():
        if any(team not in teams for team in here.kind.teams(here.settings)):
            text = "The team that is to be asked here does not exist any more: choose another."
            yield Problem(code="unknown_team", text=text, node=node)


def _whole(flow: Flow) -> Iterator[Problem]:
    starts = [node.id for node in flow.nodes if node.kind == START]
    if not starts:
        yield Problem(code="no_start", text="The flow has no start.")
    for extra in starts[1:]:
        yield Problem(code="two_starts", text="A flow has one start only.", node=extra)
    if len(flow.nodes) > MAX_NODES:
        yield Problem(code="too_large", text=f"A flow has at most {MAX_NODES} nodes.")
    for text in text_faults(flow.fallback, "The sentence for a failing flow"):
        yield Problem(code="fallback", text=text)


def _edges(flow: Flow, placed: dict[str, Placed]) -> Iterator[Problem]:
    ids = {node.id for node in flow.nodes}
    drawn = Counter((edge.source, edge.port) for edge in flow.edges)
    for edge in flow.edges:
        source = placed.get(edge.source)
        if edge.source not in ids or edge.target not in ids:
            at = edge.source if edge.source in ids else edge.target if edge.target in ids else ""
            yield Problem(code="dangling", text="A line leads to or from nowhere.", node=at)
        elif source is not None and edge.port not in _port_names(source):
            text = f"There is no way out called {edge.port!r} here."
            yield Problem(code="no_port", text=text, node=edge.source)
        elif (target := placed.get(edge.target)) is not None and target.kind.name == START:
            text = "Nothing can lead back to the start; lead to the node after it."
            yield Problem(code="into_start", text=text, node=edge.source)
    for (node, port), count in drawn.items():
        if count > 1 and node in ids:
            text = f"The way out {port!r} leads to {count} nodes; it can lead to one."
            yield Problem(code="forked", text=text, node=node)


def _port_names(placed: Placed) -> set[str]:
    return {port.name for port in placed.kind.ports(placed.settings)}


def _ways(edges: Iterable[Edge], placed: dict[str, Placed]) -> Ways:
    ways: Ways = {node: [] for node in placed}
    ports = {
        (node, port.name): port
        for node, here in placed.items()
        for port in here.kind.ports(here.settings)
    }
    for edge in edges:
        port = ports.get((edge.source, edge.port))
        if port is not None and edge.target in placed:
            ways[edge.source].append((port, edge.target))
    return ways


def _unconnected(placed: dict[str, Placed], ways: Ways) -> Iterator[Problem]:
    for node, here in placed.items():
        drawn = {port.name for port, _ in ways[node]}
        for port in here.kind.ports(here.settings):
            if port.name not in drawn and not port.otherwise and port.calls is None:
                text = f"The way out {port.name!r} leads nowhere: the visitor would wait in vain."
                yield Problem(code="unconnected", text=text, node=node)


def _reach(ways: Ways, starts: Iterable[str], *, silently: bool) -> set[str]:
    """Nodes that `starts` lead to; `silently`: only on ways where nothing is said."""
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        todo += (target for port, target in ways[node] if not (silently and port.speaks))
    return seen


def _unreachable(placed: dict[str, Placed], ways: Ways, start: str) -> Iterator[Problem]:
    reached = _reach(ways, [start], silently=False)
    for node in placed:
        if node not in reached:
            text = "No way leads here from the start."
            yield Problem(code="unreachable", text=text, node=node)


def _silent_ends(placed: dict[str, Placed], ways: Ways, start: str) -> Iterator[Problem]:
    # After a wait the visitor has written anew and is owed a word again.
    anew = [target for port, target in chain.from_iterable(ways.values()) if port.waits]
    for node in _reach(ways, [start, *anew], silently=True):
        if placed[node].kind.name == END:
            text = "A visitor can come here without having been answered or handed to a person."
            yield Problem(code="silent_end", text=text, node=node)


def _circles(placed: dict[str, Placed], ways: Ways) -> Iterator[Problem]:
    """Nodes that can be come to from themselves without the visitor writing in between."""
    hasty = {node: [target for port, target in out if not port.waits] for node, out in ways.items()}
    # Peel off what has no way into the rest, then what the rest has no way into: circles remain.
    rest = set(placed)
    while gone := {node for node in rest if not rest.intersection(hasty[node])}:
        rest -= gone
    into = {node: {n for n in rest if node in hasty[n]} for node in rest}
    while gone := {node for node in rest if not rest.intersection(into[node])}:
        rest -= gone
    for node in placed:
        if node in rest:
            text = "The flow can go round in circles here without waiting for the visitor."
            yield Problem(code="circle", text=text, node=node)
