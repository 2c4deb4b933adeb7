"""The flow's one moving part: `step(plan, state, event) -> (state, effects)`. Pure.

Rule: every turn ends, and never in silence. A turn that goes round in circles, comes to a port
where nothing is drawn, or would end without a word calls a person instead (`Why.BOT_FAILED`).
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import structs

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Effect, Handoff, Passed, Say, Wait
from qingniao.flow.events import (
    Answered,
    BotFailed,
    Classified,
    Elapsed,
    Event,
    Fetched,
    Found,
    Moderated,
    Remembered,
    ServiceFailed,
    TeamChosen,
    TimedOut,
    VisitorSaid,
)
from qingniao.flow.nodes.base import CALLED, FAILED, TEAM, Act, Scene
from qingniao.flow.plan import Placed, Plan
from qingniao.flow.state import FlowState, fits

__all__ = ["MAX_SAYS", "MAX_STATE_BYTES", "MAX_STEPS", "rescue", "step"]

MAX_STEPS: Final = 200
"""Acts from the visitor's words until they speak again, whatever timers do meanwhile. A node acts
at most twice, when it is entered and when its answer is here; `flow.check` refuses longer ways."""

MAX_SAYS: Final = 20
"""Messages in one step: more in a row is a flood, not an answer."""

MAX_STATE_BYTES: Final = 2_048
"""What a waiting conversation keeps, as it is stored."""

_DUE_BYTES: Final = 32
"""For the time that whoever carries a `Wait` out adds."""

SAID: Final = "said"

_TAGS: Final[dict[type, str]] = {
    Moderated: "moderated",
    Classified: "classified",
    Found: "found",
    Fetched: "fetched",
    Remembered: "remembered",
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
    if isinstance(event, Elapsed):
        return _woken(plan, state, event)
    placed = plan.nodes.get(state.node)
    if placed is None or not _awaited(state, event):
        return state, ()
    return _walk(plan, state, placed, _resume(placed, state, event))


def rescue(plan: Plan, state: FlowState) -> tuple[FlowState, tuple[Effect, ...]]:
    """Give up on the flow and call a person, in the flow's own words."""
    sorry = Say(text=_scene(state).say(plan.flow.fallback))
    rested = structs.replace(_rested(state), counters={})
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
    told = () if state.spoke else (Say(text=_scene(state).say(plan.flow.fallback)),)
    return rested, (*told, handoff)


def _heard(plan: Plan, state: FlowState, said: VisitorSaid) -> tuple[FlowState, tuple[Effect, ...]]:
    placed = plan.nodes.get(state.node) if state.awaiting == SAID else None
    # A node that was drawn anew since may not wait any more; then the message starts at the top.
    if placed is not None and not any(p.waits for p in placed.kind.ports(placed.settings)):
        placed = None
    fresh = FlowState(
        text=said.text,
        locale=said.locale,
        files=said.files,
        visitor=said.visitor,
        about=said.about,
        variables=state.variables,
        counters=state.counters,
        dialogues=state.dialogues,
    )
    if placed is not None:
        return _walk(plan, fresh, placed, _resume(placed, fresh, said))
    placed = plan.nodes[plan.start]
    return _walk(plan, fresh, placed, _enter(placed, fresh))


def _woken(plan: Plan, state: FlowState, event: Elapsed) -> tuple[FlowState, tuple[Effect, ...]]:
    """The visitor's last words are as long ago as somebody wanted to wait."""
    if state.awaiting not in ("", SAID):
        return state, ()
    is_idle = not state.node
    placed = plan.nodes.get(state.node or plan.start)
    woken = structs.replace(
        state,
        node="",
        awaiting="",
        edition="",
        due_ms=0,
        about=event.about,
        facts={},
        is_idle=is_idle or state.is_idle,
        spoke=is_idle or state.spoke,
    )
    if placed is None or not any(p.wakes for p in placed.kind.ports(placed.settings)):
        return structs.replace(state, due_ms=0), ()
    return _walk(plan, woken, placed, _resume(placed, woken, event))


def _walk(
    plan: Plan, state: FlowState, placed: Placed, act: Act
) -> tuple[FlowState, tuple[Effect, ...]]:
    """Go from node to node until one waits or ends."""
    effects: list[Effect] = []
    says = 0
    while True:
        if act.variables and not fits({**state.variables, **act.variables}):
            act = Act(port=FAILED, note={"reason": "There is no room for another value."})
        state = _absorb(state, act)
        says += sum(isinstance(effect, Say) for effect in act.effects)
        if act.awaits and act.awaits != SAID:
            effects.extend(act.effects)
            return structs.replace(state, node=placed.id, awaiting=act.awaits), tuple(effects)
        effects.append(
            Passed(node=placed.id, kind=placed.kind.name, port=act.port, note=dict(act.note))
        )
        effects.extend(act.effects)
        if act.awaits:
            rested = _waiting(plan, state, placed)
            if rested is not None:
                return rested, tuple(effects)
            act = Act(port=FAILED, note={"reason": "There is too much to remember."})
            continue
        following = None if act.ends else plan.next(placed, act.port)
        fails = act.port == FAILED
        if following is None and not (act.ends or fails) and (why := plan.calls(placed, act.port)):
            state, called = _call(plan, state, why)
            return state, (*effects, *called)
        if following is None and state.spoke and not fails:
            return _over(plan, state, effects)
        if following is None or state.steps >= MAX_STEPS or says >= MAX_SAYS:
            state, called = rescue(plan, state)
            return state, (*effects, *called)
        placed = following
        act = _enter(placed, state)


def _over(
    plan: Plan, state: FlowState, effects: list[Effect]
) -> tuple[FlowState, tuple[Effect, ...]]:
    """The turn is over. If the flow speaks to those who fall silent, the time begins to run."""
    handed = bool(effects) and isinstance(effects[-1], Handoff)
    if plan.idle_s and not state.is_idle and not handed:
        rested = structs.replace(
            _rested(state), steps=state.steps, visitor=state.visitor, edition=plan.edition
        )
        return rested, (*effects, Wait(for_s=plan.idle_s))
    return _rested(state), tuple(effects)


def _waiting(plan: Plan, state: FlowState, placed: Placed) -> FlowState | None:
    """What is kept until the visitor speaks or a time is up; `None`: it is too much."""
    rested = structs.replace(
        _rested(state),
        node=placed.id,
        awaiting=SAID,
        edition=plan.edition,
        steps=state.steps,
        spoke=state.spoke,
        is_idle=state.is_idle,
        visitor=state.visitor,
    )
    # A platform that has forgotten a dialogue begins anew: better than to fail here.
    for kept in (rested, structs.replace(rested, dialogues={})):
        if len(msgspec.msgpack.encode(kept)) <= MAX_STATE_BYTES - _DUE_BYTES:
            return kept
    return None


def _enter(placed: Placed, state: FlowState) -> Act:
    return _attempt(lambda: placed.kind.enter(placed.settings, _scene(state, placed.id)))


def _resume(placed: Placed, state: FlowState, event: Event) -> Act:
    return _attempt(lambda: placed.kind.resume(placed.settings, _scene(state, placed.id), event))


def _attempt(act: Callable[[], Act]) -> Act:
    """What the node does. A fault of ours in it is an error like any other: it has a way out."""
    try:
        return act()
    except Exception as exc:
        return Act(port=FAILED, note={"reason": f"The node failed inside: {type(exc).__name__}."})


def _absorb(state: FlowState, act: Act) -> FlowState:
    return structs.replace(
        state,
        text=state.text if act.text is None else act.text,
        steps=state.steps + 1,
        spoke=state.spoke or any(isinstance(effect, Say | Handoff) for effect in act.effects),
        facts={**state.facts, **act.facts} if act.facts else state.facts,
        variables={**state.variables, **act.variables} if act.variables else state.variables,
        counters={**state.counters, **act.counters} if act.counters else state.counters,
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


def _scene(state: FlowState, node: str = "") -> Scene:
    return Scene(
        text=state.text,
        locale=state.locale,
        files=state.files,
        facts=state.facts,
        variables=state.variables,
        counters=state.counters,
        node=node,
        visitor=state.visitor,
        about=state.about,
    )


def _awaited(state: FlowState, event: Event) -> bool:
    if state.awaiting in ("", SAID):
        return False
    return isinstance(event, _FAILURES) or _TAGS.get(type(event)) == state.awaiting
