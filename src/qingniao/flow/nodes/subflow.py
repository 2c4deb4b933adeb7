"""`subflow`: another published flow in the place of one node. Rule: it is walked as if it had been
drawn here; what it learns in variables stays, and where it ends, this node's `done` begins.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, NoSettings, Port, Scene

__all__ = [
    "CALLING",
    "DONE",
    "ENTER",
    "RETURN",
    "RETURNING",
    "Subflow",
    "SubflowSettings",
]

DONE: Final = "done"
ENTER: Final = "enter"
RETURN: Final = "return"


class SubflowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`flow`: the id of the flow to call, in its published version."""

    flow: str


class Subflow(Kind[SubflowSettings]):
    """Calls another flow; one that is not there is left by `failed`."""

    name = "subflow"
    settings = SubflowSettings

    def ports(self, settings: SubflowSettings) -> tuple[Port, ...]:
        return (Port(DONE), Port(FAILED, calls=Why.BOT_FAILED))

    def faults(self, settings: SubflowSettings) -> Iterator[str]:
        if not settings.flow:
            yield Fault(
                "No flow is chosen.",
                code="no_flow",
                mend="Choose the flow that this node calls.",
            )

    def enter(self, settings: SubflowSettings, scene: Scene) -> Act:
        reason = f"The flow {settings.flow} is not published."
        return Act(port=FAILED, note={"reason": reason})


class _Calling(Subflow):
    """The same node in a plan where the flow that it calls is there."""

    def ports(self, settings: SubflowSettings) -> tuple[Port, ...]:
        return (Port(ENTER), Port(FAILED, calls=Why.BOT_FAILED))

    def enter(self, settings: SubflowSettings, scene: Scene) -> Act:
        return Act(port=ENTER, note={"flow": settings.flow})


class _Returning(Kind[NoSettings]):
    """The end of a flow that was called."""

    name = "end"
    settings = NoSettings

    def ports(self, settings: NoSettings) -> tuple[Port, ...]:
        return (Port(RETURN),)

    def enter(self, settings: NoSettings, scene: Scene) -> Act:
        return Act(port=RETURN)


CALLING: Final = _Calling()
RETURNING: Final = _Returning()
