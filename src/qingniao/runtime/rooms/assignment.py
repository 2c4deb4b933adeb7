"""The assignment role: waiting conversations are given to people."""

from collections.abc import Coroutine, Iterable, Sequence

from qingniao.clock import wall_ms
from qingniao.metrics import Reading
from qingniao.runtime.foundation import Foundation
from qingniao.workers.assignment import Agent, AssignmentWorker

__all__ = ["AssignmentRoom"]


class AssignmentRoom:
    """`Room` of the role `worker:assignment`."""

    def __init__(self, base: Foundation) -> None:
        self._users = base.users
        engines, bus = base.engines, base.engines.bus
        self._assigning = AssignmentWorker(
            engines.log, bus.fanout, bus.presence, base.pipeline.submit, self._agents,
            base.index.assigned, wall_ms,
        )  # fmt: skip

    async def open(self) -> None:
        """See `Room`."""

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [self._assigning.run()]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        return ()

    async def drain(self, within_s: float) -> None:
        """Nothing to finish: whoever waits keeps the mark."""

    async def _agents(self) -> Sequence[Agent]:
        return [
            Agent(id=user.id, name=user.name, accepting=user.accepting)
            for user in await self._users.all()
            if not user.disabled
        ]
