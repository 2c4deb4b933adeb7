"""`handoff`: a person takes over. Rule: the visitor is told before they are kept waiting."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Handoff as HandoffEffect
from qingniao.flow.effects import Say
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import Act, Kind, Port, Scene, text_faults

__all__ = ["Handoff", "HandoffSettings"]


class HandoffSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`why` is shown to agents, `text` to the visitor."""

    why: Literal["asked", "unsure", "angry", "bot_failed", "sensitive"]
    text: Texts


class Handoff(Kind[HandoffSettings]):
    """Says that a person is coming and calls one."""

    name = "handoff"
    settings = HandoffSettings

    def ports(self, settings: HandoffSettings) -> tuple[Port, ...]:
        return ()

    def faults(self, settings: HandoffSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The text")

    def enter(self, settings: HandoffSettings, scene: Scene) -> Act:
        say = Say(text=scene.say(settings.text))
        return Act(
            effects=(say, HandoffEffect(why=Why(settings.why))),
            ends=True,
            counters={"unsure": 0},
            note={"why": settings.why},
        )
