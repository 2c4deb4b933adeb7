"""Recorded runs, walked again with today's code. Owns the form of a history.

Rule: a published flow's past must stay what it was: a code change that gives other effects for the
same events is found here, before a visitor finds it.
"""

from msgspec import Struct

from qingniao.flow.effects import Effect
from qingniao.flow.engine import step
from qingniao.flow.events import Event
from qingniao.flow.plan import Plan
from qingniao.flow.state import FlowState, restore, store

__all__ = ["Beat", "History", "replay"]


class Beat(Struct, frozen=True, kw_only=True):
    """One event and what the flow wanted done because of it."""

    told: Event
    wanted: tuple[Effect, ...]


class History(Struct, frozen=True, kw_only=True):
    """A conversation as its flow saw it. `flow` names the sample or published flow that ran."""

    title: str
    flow: str
    beats: tuple[Beat, ...]


def replay(plan: Plan, events: tuple[Event, ...]) -> tuple[Beat, ...]:
    """Walk `events` from a fresh state, through the stored form of the state between them."""
    state = FlowState()
    beats: list[Beat] = []
    for event in events:
        state, effects = step(plan, restore(store(state)), event)
        beats.append(Beat(told=event, wanted=effects))
    return tuple(beats)
