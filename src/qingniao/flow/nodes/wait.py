"""`wait`: nothing happens for a while. Rule: the visitor's words end it at once; otherwise the time
does, also after a restart.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.effects import Wait as WaitEffect
from qingniao.flow.events import Elapsed, Event
from qingniao.flow.nodes.base import Act, Fault, Kind, Port, Scene
from qingniao.flow.nodes.waiting import MAX_WAIT_S

__all__ = ["Wait", "WaitSettings"]

MIN_WAIT_S: Final = 1.0


class WaitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`for_s`: how long, in seconds."""

    for_s: float


class Wait(Kind[WaitSettings]):
    """Leaves by `elapsed` when the time is up, by `replied` when the visitor writes before."""

    name = "wait"
    settings = WaitSettings

    def ports(self, settings: WaitSettings) -> tuple[Port, ...]:
        return (
            Port("elapsed", wakes=True),
            Port("replied", otherwise="elapsed", waits=True),
        )

    def faults(self, settings: WaitSettings) -> Iterator[str]:
        if not MIN_WAIT_S <= settings.for_s <= MAX_WAIT_S:
            yield Fault(
                "It waits between 1 second and 30 days.",
                code="wait",
                mend="Give seconds in that range.",
            )

    def enter(self, settings: WaitSettings, scene: Scene) -> Act:
        return Act(effects=(WaitEffect(for_s=settings.for_s),), awaits="said")

    def resume(self, settings: WaitSettings, scene: Scene, event: Event) -> Act:
        return Act(port="elapsed" if isinstance(event, Elapsed) else "replied")
