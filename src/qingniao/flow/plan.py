"""A flow made ready to run: settings read once, edges as a table, sub-flows put in their places.

Owns `Plan`; refuses to judge. A node `n` of a sub-flow that node `s` calls is `s/n` here. Rule: a
plan exists only of a flow whose kinds and settings can be read; whether it may be published is for
`flow.check` to say.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.errors import QingniaoError
from qingniao.flow.graph import Flow, Node
from qingniao.flow.nodes import KINDS
from qingniao.flow.nodes.base import FAILED, Kind, Port
from qingniao.flow.nodes.end import End
from qingniao.flow.nodes.start import Start, StartSettings
from qingniao.flow.nodes.subflow import CALLING, DONE, ENTER, RETURN, RETURNING, Subflow

__all__ = [
    "MAX_DEPTH",
    "FlowUnreadable",
    "Needs",
    "Placed",
    "Plan",
    "inline",
    "place",
    "prepare",
    "ways_out",
]

START: Final = Start.name
MAX_DEPTH: Final = 5
"""How deep flows may call each other."""


class FlowUnreadable(QingniaoError):
    """This flow cannot be read: a node is of an unknown kind or has settings of a wrong type."""

    code = "flow_unreadable"


class Placed(Struct, frozen=True, eq=False):
    """A node with its kind and its settings as that kind reads them."""

    id: str
    kind: Kind[Any]
    settings: Struct


class Needs(Struct, frozen=True):
    """What has to be found out before a turn begins: costs a look at the database or the bus."""

    visitor: bool = False
    agents: bool = False


class Plan(Struct, frozen=True, eq=False):
    """What the engine walks on. `ways` maps (node, port) to the next node; `edition` names the
    versions it is made of, `flow@version` separated by commas, its own first."""

    flow: Flow
    start: str
    nodes: Mapping[str, Placed]
    ways: Mapping[tuple[str, str], str]
    edition: str = ""
    idle_s: float = 0.0
    """Of silence after which the flow speaks of its own accord; 0: never."""
    needs: Needs = Needs()

    def next(self, placed: Placed, port: str) -> Placed | None:
        """Where `port` leads, or the port that stands in for it; `None` if nothing is drawn."""
        target = self.ways.get((placed.id, port))
        if target is None:
            for declared in placed.kind.ports(placed.settings):
                if declared.name == port and declared.otherwise:
                    target = self.ways.get((placed.id, declared.otherwise))
        return self.nodes.get(target) if target is not None else None

    def calls(self, placed: Placed, port: str) -> Why | None:
        """Why a person is called at `port` when nothing is drawn there; `None`: none is."""
        ports = placed.kind.ports(placed.settings)
        return next((declared.calls for declared in ports if declared.name == port), None)


def ways_out(placed: Placed) -> tuple[Port, ...]:
    """The node's ports, and the one that every node with a way out has."""
    ports = placed.kind.ports(placed.settings)
    if not ports or any(port.name == FAILED for port in ports):
        return ports
    return (*ports, Port(FAILED, calls=Why.BOT_FAILED))


def place(node: Node) -> Placed:
    """Read a node's settings as its kind does. Raises `FlowUnreadable` with the place at fault."""
    kind = KINDS.get(node.kind)
    if kind is None:
        raise FlowUnreadable(f"There is no kind of node called {node.kind!r}.")
    try:
        return Placed(node.id, kind, msgspec.convert(node.settings, kind.settings))
    except msgspec.ValidationError as exc:
        raise FlowUnreadable(f"A setting is wrong: {exc}.") from exc


def prepare(flow: Flow, callees: Mapping[str, Flow] | None = None) -> Plan:
    """Make `flow` ready, with the flows that its nodes may call; one that is not among them is
    left by `failed`.

    Raises `FlowUnreadable`, also for flows that call each other in a circle; of two equal ids or
    ports the first counts.
    """
    return _prepare(flow, callees or {}, ())


def _prepare(flow: Flow, callees: Mapping[str, Flow], above: tuple[str, ...]) -> Plan:
    if flow.id in above:
        raise FlowUnreadable(f"The flow {flow.id} calls itself: {' > '.join((*above, flow.id))}.")
    if len(above) > MAX_DEPTH:
        raise FlowUnreadable(f"Flows call each other more than {MAX_DEPTH} deep.")
    nodes: dict[str, Placed] = {}
    ways: dict[tuple[str, str], str] = {}
    start = ""
    for node in flow.nodes:
        nodes.setdefault(node.id, place(node))
        if node.kind == START and not start:
            start = node.id
    if not start:
        raise FlowUnreadable("The flow has no start.")
    for edge in flow.edges:
        ways.setdefault((edge.source, edge.port), edge.target)
    editions = [f"{flow.id}@{flow.version}"]
    for placed in tuple(nodes.values()):
        called = callees.get(called_by(placed))
        if called is not None:
            plan = _prepare(called, callees, (*above, flow.id))
            inline(nodes, ways, placed, plan)
            editions += plan.edition.split(",")
    begins = nodes[start].settings
    return Plan(
        flow,
        start,
        nodes,
        ways,
        edition=",".join(dict.fromkeys(editions)),
        idle_s=begins.idle_s() if isinstance(begins, StartSettings) else 0.0,
        needs=_needs(nodes.values()),
    )


def called_by(placed: Placed) -> str:
    """The id of the flow that this node calls; empty for all others."""
    return str(getattr(placed.settings, "flow", "")) if placed.kind.name == Subflow.name else ""


def inline(
    nodes: dict[str, Placed], ways: dict[tuple[str, str], str], caller: Placed, plan: Plan
) -> None:
    """Put `plan` where `caller` calls it: its ends lead to what follows the caller."""
    nodes[caller.id] = Placed(caller.id, CALLING, caller.settings)
    ways[caller.id, ENTER] = f"{caller.id}/{plan.start}"
    after = ways.get((caller.id, DONE))
    for id, placed in plan.nodes.items():
        inner = f"{caller.id}/{id}"
        ends = placed.kind.name == End.name
        nodes[inner] = Placed(inner, RETURNING if ends else placed.kind, placed.settings)
        if ends and after is not None:
            ways[inner, RETURN] = after
    for (source, port), target in plan.ways.items():
        ways[f"{caller.id}/{source}", port] = f"{caller.id}/{target}"


def _needs(nodes: Any) -> Needs:
    read = set(_read(nodes))
    return Needs(
        visitor=any(name.startswith("visitor.") for name in read), agents="agents_online" in read
    )


def _read(nodes: Any) -> Iterator[str]:
    for placed in nodes:
        yield from placed.kind.reads(placed.settings)
