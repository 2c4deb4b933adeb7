"""`handoff`: a person takes over. Owns the choice among what is known of whom it is for.

Rule: the visitor is told before they are kept waiting, and gets somebody whatever became of the
choice: a router that is unsure or away leaves it to the drawn team, or to everybody.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import ChooseTeam, Say
from qingniao.flow.effects import Handoff as HandoffEffect
from qingniao.flow.events import BotFailed, Event, TeamChosen
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import CALLED, TEAM, Act, Kind, Port, Scene, Value, text_faults

__all__ = ["Handoff", "HandoffSettings"]


class HandoffSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`why` is shown to agents, `text` to the visitor.

    `team`: the number of the team that is asked first; 0: everybody. `router`: a bot that chooses
    the team; `team` is then for what it has no answer to. `explains`: the bot is told the teams, as
    a plain model needs it, and not only given the message. A team that the answering bot named
    itself comes before both.
    """

    why: Literal["asked", "unsure", "angry", "bot_failed", "bot_called", "sensitive", "rule"]
    text: Texts
    team: int = 0
    router: str = ""
    explains: bool = True


class Handoff(Kind[HandoffSettings]):
    """Says that a person is coming and calls one."""

    name = "handoff"
    settings = HandoffSettings

    def ports(self, settings: HandoffSettings) -> tuple[Port, ...]:
        return ()

    def faults(self, settings: HandoffSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The text")

    def teams(self, settings: HandoffSettings) -> tuple[int, ...]:
        return (settings.team,) if settings.team else ()

    def enter(self, settings: HandoffSettings, scene: Scene) -> Act:
        named = scene.facts.get(TEAM)
        if isinstance(named, int) and named:
            return _over(settings, scene, named, {})
        if settings.router and scene.text.strip():
            choose = ChooseTeam(text=scene.text, judge=settings.router, explains=settings.explains)
            return Act(effects=(choose,), awaits="team_chosen")
        return _over(settings, scene, settings.team, {})

    def resume(self, settings: HandoffSettings, scene: Scene, event: Event) -> Act:
        note: dict[str, Value] = {"router": settings.router}
        if isinstance(event, TeamChosen):
            note["said"] = event.said
            return _over(settings, scene, event.team or settings.team, note)
        note["reason"] = event.reason if isinstance(event, BotFailed) else "It took too long."
        return _over(settings, scene, settings.team, note)


def _over(settings: HandoffSettings, scene: Scene, team: int, note: Mapping[str, Value]) -> Act:
    say = Say(text=scene.say(settings.text))
    reason = scene.facts.get(CALLED)
    # Several ways may lead here; that a bot asked for it is not what the drawing says.
    why = Why(settings.why) if reason is None else Why.BOT_CALLED
    handoff = HandoffEffect(why=why, team=team, reason=reason if isinstance(reason, str) else "")
    return Act(
        effects=(say, handoff),
        ends=True,
        counters={"unsure": 0},
        note={"why": why.value, **note},
    )
