"""The analytics role: the agents' list and the hourly sums, brought up to the log."""

from collections.abc import Coroutine, Iterable

from qingniao.chat.ports import Role
from qingniao.metrics import Reading
from qingniao.runtime.foundation import Foundation
from qingniao.runtime.rooms.sweeping import own_sweeper
from qingniao.workers.index import IndexWorker

__all__ = ["AnalyticsRoom"]


class AnalyticsRoom:
    """`Room` of the role `worker:analytics`."""

    def __init__(self, base: Foundation) -> None:
        engines, bus, pipeline = base.engines, base.engines.bus, base.pipeline
        self._indexing = IndexWorker(engines.log, bus.queue, base.index, lambda: pipeline.is_busy)
        self._sweeper = own_sweeper(engines, Role.INDEX)

    async def open(self) -> None:
        """See `Room`."""

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [self._indexing.run(), self._sweeper.run()]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        return ()

    async def drain(self, within_s: float) -> None:
        """Nothing to finish: what is not projected keeps its mark."""
