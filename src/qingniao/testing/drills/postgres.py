"""PostgreSQL that restarts, is killed, stands still, or is not there."""

import asyncio
from collections.abc import Callable
from typing import Final

from qingniao.testing.drills.kinds import Break, Scene

__all__ = [
    "database_is_killed",
    "database_is_stopped",
    "database_restarts",
    "database_stands_still",
]

_SETTLED_S: Final = 1.0
"""After it has gone: what was stored before is told by then."""


async def database_restarts(scene: Scene) -> dict[str, float]:
    """As an administrator does it (fast: connections are ended), and at once again."""
    await asyncio.to_thread(scene.cluster.postgres.restart)
    return {}


async def database_is_killed(scene: Scene) -> dict[str, float]:
    """SIGKILL to all of its processes; it recovers from its log."""

    def kill_and_start() -> None:
        scene.cluster.postgres.kill()
        scene.cluster.postgres.start()

    await asyncio.to_thread(kill_and_start)
    return {}


def _gone(take: Callable[[Scene], None], bring_back: Callable[[Scene], None]) -> Break:
    async def breaks(scene: Scene) -> dict[str, float]:
        before = _told(scene)
        await asyncio.to_thread(take, scene)
        try:
            await asyncio.sleep(_SETTLED_S)
            acked = scene.load.acked
            await asyncio.sleep(scene.lengths.gone_s - _SETTLED_S)
            acked = scene.load.acked - acked
        finally:
            await asyncio.to_thread(bring_back, scene)
        told = {name: count - before[name] for name, count in _told(scene).items()}
        return {"gone_s": scene.lengths.gone_s, "acked_without": acked} | told

    return breaks


database_stands_still: Final = _gone(
    lambda scene: scene.cluster.postgres.pause(), lambda scene: scene.cluster.postgres.resume()
)
"""SIGSTOP: connections stay open and nothing answers; later it goes on where it was."""

database_is_stopped: Final = _gone(
    lambda scene: scene.cluster.postgres.stop(), lambda scene: scene.cluster.postgres.start()
)
"""Nobody takes connections."""


def _told(scene: Scene) -> dict[str, float]:
    """What senders heard so far, other than acks."""
    seats = scene.load.seats
    return {
        "busy": sum(seat.busies for seat in seats),
        "errors": sum(len(seat.errors) for seat in seats),
        "byes": sum(len(seat.byes) for seat in seats),
    }
