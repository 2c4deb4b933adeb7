"""A flow made ready to run: settings read once, edges as a table. Owns `Plan`; refuses to judge.

Rule: a plan exists only of a flow whose kinds and settings can be read; whether it may be published
is for `flow.check` to say.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.errors import QingniaoError
from qingniao.flow.graph import Flow, Node
from qingniao.flow.nodes import KINDS
from qingniao.flow.nodes.base import Kind

__all__ = ["FlowUnreadable", "Placed", "Plan", "place", "prepare"]

START: Final = "start"


class FlowUnreadable(QingniaoError):
    """This flow cannot be read: a node is of an unknown kind or has settings of a wrong type."""

    code = "flow_unreadable"


class Placed(Struct, frozen=True, eq=False):
    """A node with its kind and its settings as that kind reads them."""

    id: str
    kind: Kind[Any]
    settings: Struct


class Plan(Struct, frozen=True, eq=False):
    """What the engine walks on. `ways` maps (node, port) to the next node."""

    flow: Flow
    start: str
    nodes: Mapping[str, Placed]
    ways: Mapping[tuple[str, str], str]

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


def place(node: Node) -> Placed:
    """Read a node's settings as its kind does. Raises `FlowUnreadable` with the place at fault."""
    kind = KINDS.get(node.kind)
    if kind is None:
        raise FlowUnreadable(f"There is no kind of node called {node.kind!r}.")
    try:
        return Placed(node.id, kind, msgspec.convert(node.settings, kind.settings))
    except msgspec.ValidationError as exc:
        raise FlowUnreadable(f"A setting is wrong: {exc}.") from exc


def prepare(flow: Flow) -> Plan:
    """Make `flow` ready. Raises `FlowUnreadable`; of two equal ids or ports the first counts."""
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
    return Plan(flow, start, nodes, ways)
