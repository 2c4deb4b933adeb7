"""The delivery role: what was left undone is brought again to those whose work it is.

Today that is the sweeper, one at a time; what is delivered to other systems (webhooks, channels)
will be its neighbour, for it needs the same: marks in the log, and somebody who comes by until they
are gone.
"""

from collections.abc import Coroutine, Iterable

from qingniao.chat.ports import Role
from qingniao.metrics import Reading
from qingniao.runtime.foundation import Foundation
from qingniao.workers.dispatch import Sweeper
from qingniao.workers.tenure import Tenure

__all__ = ["DeliveryRoom"]


class DeliveryRoom:
    """`Room` of the role `worker:delivery`."""

    def __init__(self, base: Foundation) -> None:
        engines = base.engines
        self._sweeper = Sweeper(engines.log, engines.bus.queue, (Role.AI, Role.INDEX))
        self._tenure = Tenure(engines.leases, "sweep", engines.holder, self._sweeper.run)

    async def open(self) -> None:
        """See `Room`."""

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [self._tenure.run()]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        return ()

    async def drain(self, within_s: float) -> None:
        """Nothing to finish: marks stay until their work is done."""
