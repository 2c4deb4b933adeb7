"""The analytics role: the agents' list and the hourly sums, brought up to the log."""

from collections.abc import Coroutine, Iterable

from qingniao.metrics import Reading
from qingniao.runtime.foundation import Foundation
from qingniao.workers.index import IndexWorker

__all__ = ["AnalyticsRoom"]


class AnalyticsRoom:
    """`Room` of the role `worker:analytics`."""

    def __init__(self, base: Foundation) -> None:
        engines, pipeline = base.engines, base.pipeline
        self._indexing = IndexWorker(
            engines.log, engines.queue, base.index, lambda: pipeline.is_busy
        )

    async def open(self) -> None:
        """See `Room`."""

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [self._indexing.run()]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        return ()

    async def drain(self, within_s: float) -> None:
        """Nothing to finish: what is not projected keeps its mark."""
