"""The flow's one moving part: `step(plan, state, event) -> (state, effects)`. Pure.

Rule: every turn ends, and never in silence. A turn that goes round in circles, comes to a port
where nothing is drawn, or would end without a word calls a person instead (`Why.BOT_FAILED`).
"""

from typing import Final

from msgspec import structs

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Effect, Handoff, Passed, Say
from qingniao.flow.events import (
    Answered,
    BotFailed,
    Classified,
    Event,
    Found,
    Moderated,
    ServiceFailed,
    TeamChosen,
    TimedOut,
    VisitorSaid,
)
from qingniao.flow.graph import MAX_NODES, pick
from qingniao.flow.nodes.base import CALLED, TEAM, Act, Scene
from qingniao.flow.plan import Placed, Plan
from qingniao.flow.state import FlowState

__all__ = ["MAX_STEPS", "rescue", "step"]

MAX_STEPS: Final = 2 * MAX_NODES
"""Acts in one turn, from the visitor's words to the flow's rest. A node acts at most twice, when it
is entered and when its answer is here, so a flow without circles never comes to this bound."""

SAID: Final = "said"

_TAGS: Final[dict[type, str]] = {
    Moderated: "moderated",
    Classified: "classified",
    Found: "found",
    Answered: "answered",
    TeamChosen: "team_chosen",
}
_FAILURES: Final = (BotFailed, ServiceFailed, TimedOut)


def step(plan: Plan, state: FlowState, event: Event) -> tuple[FlowState, tuple[Effect, ...]]:
    """Take the flow as far as `event` brings it.

    What the visitor says last counts: it is heard even while something else is awaited. Any other
    event that nobody waits for changes nothing and has no effects.
    """
    if isinstance(event, VisitorSaid):
        return _heard(plan, state, event)
    placed = plan.nodes.get(state.node)
    if placed is None or not _awaited(state, event):
        return state, ()
    act = placed.kind.resume(placed.settings, _scene(state), event)
    return _walk(plan, state, placed, act)


def rescue(plan: Plan, state: FlowState) -> tuple[FlowState, tuple[Effect, ...]]:
    """Give up on the flow and call a person, in the flow's own words."""
    rested = structs.replace(_rested(state), counters={})
    sorry = Say(text=pick(plan.flow.fallback, state.locale))
    return rested, (sorry, Handoff(why=Why.BOT_FAILED))


def _call(plan: Plan, state: FlowState, why: Why) -> tuple[FlowState, tuple[Effect, ...]]:
    """Call a person where nothing is drawn, and tell the visitor if nobody has."""
    team = state.facts.get(TEAM)
    reason = state.facts.get(CALLED)
    handoff = Handoff(
        why=why,
        team=team if isinstance(team, int) else 0,
        reason=reason if isinstance(reason, str) else "",
    )
    rested = structs.replace(_rested(state), counters={})
    told = () if state.spoke else (Say(text=pick(plan.flow.fallback, state.locale)),)
    return rested, (*told, handoff)


def _heard(plan: Plan, state: FlowState, said: VisitorSaid) -> tuple[FlowState, tuple[Effect, ...]]:
    placed = plan.nodes.get(state.node) if state.awaiting == SAID else None
    # A node that was drawn anew since may not wait any more; then the message starts at the top.
    if placed is not None and not _waits(placed):
        placed = None
    fresh = FlowState(
        text=said.text,
        locale=said.locale,
        files=said.files,
        variables=state.variables,
        counters=state.counters,
        dialogues=state.dialogues,
    )
    if placed is not None:
        act = placed.kind.resume(placed.settings, _scene(fresh), said)
    else:
        placed = plan.nodes[plan.start]
        act = placed.kind.enter(placed.settings, _scene(fresh))
    return _walk(plan, fresh, placed, act)


def _walk(
    plan: Plan, state: FlowState, placed: Placed, act: Act
) -> tuple[FlowState, tuple[Effect, ...]]:
    """Go from node to node until one waits or ends."""
    effects: list[Effect] = []
    while True:
        state = _absorb(state, act)
        if act.awaits and act.awaits != SAID:
            effects.extend(act.effects)
            return structs.replace(state, node=placed.id, awaiting=act.awaits), tuple(effects)
        effects.append(
            Passed(node=placed.id, kind=placed.kind.name, port=act.port, note=dict(act.note))
        )
        effects.extend(act.effects)
        if act.awaits:
            rested = structs.replace(_rested(state), node=placed.id, awaiting=SAID)
            return rested, tuple(effects)
        following = None if act.ends else plan.next(placed, act.port)
        if following is None and not act.ends and (why := plan.calls(placed, act.port)):
            state, called = _call(plan, state, why)
            return state, (*effects, *called)
        if following is None and state.spoke:
            return _rested(state), tuple(effects)
        if following is None or state.steps >= MAX_STEPS:
            state, called = rescue(plan, state)
            return state, (*effects, *called)
        placed = following
        act = placed.kind.enter(placed.settings, _scene(state))


def _absorb(state: FlowState, act: Act) -> FlowState:
    return structs.replace(
        state,
        text=state.text if act.text is None else act.text,
        steps=state.steps + 1,
        spoke=state.spoke or any(isinstance(effect, Say | Handoff) for effect in act.effects),
        facts={**state.facts, **act.facts},
        variables={**state.variables, **act.variables},
        counters={**state.counters, **act.counters},
        node="",
        awaiting="",
    )


def _rested(state: FlowState) -> FlowState:
    """What is worth keeping until the visitor speaks again."""
    return FlowState(
        locale=state.locale,
        variables=state.variables,
        counters=state.counters,
        dialogues=state.dialogues,
    )


def _scene(state: FlowState) -> Scene:
    return Scene(
        text=state.text,
        locale=state.locale,
        files=state.files,
        facts=state.facts,
        variables=state.variables,
        counters=state.counters,
    )


def _awaited(state: FlowState, event: Event) -> bool:
    if state.awaiting in ("", SAID):
        return False
    return isinstance(event, _FAILURES) or _TAGS.get(type(event)) == state.awaiting


def _waits(placed: Placed) -> bool:
    return any(port.waits for port in placed.kind.ports(placed.settings))
