"""All published flows, and which of them a message belongs to. Pure.

A flow that does not catch what is left over exists for its triggers, so those are asked first, the
one published last before the others; then the reception has it: of all flows that catch, the one
published last. Rule: there is always a reception, and a message always has a flow.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from qingniao.flow.events import VisitorSaid
from qingniao.flow.graph import Flow
from qingniao.flow.nodes.base import Scene
from qingniao.flow.nodes.start import StartSettings, trigger_of
from qingniao.flow.plan import FlowUnreadable, Needs, Plan, prepare

__all__ = ["Book", "bind", "editions"]

MAX_DIGITS: Final = 9


class Book(Struct, frozen=True, eq=False):
    """`reception` takes what no trigger of `others` matches. `unreadable`: flow → why it is
    missing."""

    reception: Plan
    others: tuple[Plan, ...] = ()
    unreadable: Mapping[str, str] = {}

    @property
    def needs(self) -> Needs:
        """What has to be known before it can be said where a message belongs."""
        plans = (self.reception, *self.others)
        return Needs(
            visitor=any(plan.needs.visitor for plan in plans),
            agents=any(plan.needs.agents for plan in plans),
        )

    def choose(self, said: VisitorSaid) -> Plan:
        """The flow that a message begins, which is not the reply to anything."""
        for plan in self.others:
            begins = plan.nodes[plan.start].settings
            if isinstance(begins, StartSettings) and trigger_of(begins, _scene(said)) is not None:
                return plan
        return self.reception


def bind(published: Iterable[Flow], sample: Flow) -> Book:
    """Make a book of what is published, the newest first. Without a flow that catches and can be
    read, `sample` is the reception."""
    flows = list(published)
    callees = {flow.id: flow for flow in flows}
    reception: Plan | None = None
    others: list[Plan] = []
    unreadable: dict[str, str] = {}
    for flow in flows:
        try:
            plan = prepare(flow, callees)
        except FlowUnreadable as exc:
            unreadable[flow.id] = str(exc)
            continue
        begins = plan.nodes[plan.start].settings
        if not (isinstance(begins, StartSettings) and begins.catches):
            others.append(plan)
        elif reception is None:
            reception = plan
    return Book(reception or prepare(sample), tuple(others), unreadable)


def editions(edition: str) -> list[tuple[str, int]]:
    """The flows and versions that a plan was made of, its own first; empty if it cannot be read."""
    found = []
    for part in edition.split(","):
        name, _, version = part.rpartition("@")
        if not name or not version.isdecimal() or len(version) > MAX_DIGITS:
            return []
        found.append((name, int(version)))
    return found


def _scene(said: VisitorSaid) -> Scene:
    return Scene(
        text=said.text,
        locale=said.locale,
        files=said.files,
        facts={},
        variables={},
        counters={},
        visitor=said.visitor,
        about=said.about,
    )
