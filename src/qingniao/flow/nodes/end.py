"""`end`: the turn is over; the next message starts anew. Rule: something was said before it."""

from qingniao.flow.nodes.base import Act, Kind, NoSettings, Port, Scene

__all__ = ["End"]


class End(Kind[NoSettings]):
    """Ends the turn."""

    name = "end"
    settings = NoSettings

    def ports(self, settings: NoSettings) -> tuple[Port, ...]:
        return ()

    def enter(self, settings: NoSettings, scene: Scene) -> Act:
        return Act(ends=True)
