"""The network between two kinds of process: slow, cut, deaf."""

import asyncio
from typing import Final, Literal

from qingniao.testing.drills.cluster import WayName
from qingniao.testing.drills.kinds import Break, Scene
from qingniao.testing.drills.ways import Way

__all__ = ["TROUBLES", "Trouble", "trouble"]

Trouble = Literal["slow", "cut", "hole"]
TROUBLES: Final[tuple[Trouble, ...]] = ("slow", "cut", "hole")

_DELAY_S: Final = 0.1
_AFTER_S: Final = 0.5


def trouble(name: WayName, *troubles: Trouble) -> Break:
    """One after the other, on every connection of this way; well in between."""

    async def breaks(scene: Scene) -> dict[str, float]:
        ways = scene.cluster.ways[name]
        before = sum(way.carried for way in ways)
        for kind in troubles:
            for way in ways:
                _begin(way, kind)
            await asyncio.sleep(scene.lengths.way_s)
            for way in ways:
                way.mend()
            await asyncio.sleep(_AFTER_S)
        return {
            "each_s": scene.lengths.way_s,
            "connections": sum(way.carried for way in ways) - before,
        }

    return breaks


def _begin(way: Way, kind: Trouble) -> None:
    match kind:
        case "slow":
            way.slow(_DELAY_S)
        case "cut":
            way.cut()
        case "hole":
            way.hole()
