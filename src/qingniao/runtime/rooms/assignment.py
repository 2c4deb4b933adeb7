"""The assignment role: waiting conversations are given to people, by one process at a time."""

from collections.abc import Coroutine, Iterable, Sequence

from qingniao.metrics import Reading
from qingniao.runtime.foundation import Foundation
from qingniao.workers.assignment import Agent, AssignmentWorker
from qingniao.workers.tenure import Tenure

__all__ = ["AssignmentRoom"]


class AssignmentRoom:
    """`Room` of the role `worker:assignment`."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        engines = base.engines
        self._tenure = Tenure(engines.leases, "assignment", engines.holder, self._assign)

    async def open(self) -> None:
        """See `Room`."""

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [self._tenure.run()]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        return ()

    async def drain(self, within_s: float) -> None:
        """Nothing to finish: whoever waits keeps the mark."""

    def _assign(self) -> Coroutine[None, None, None]:
        """A worker that remembers nothing of an earlier turn: another has acted since."""
        base, engines, bus = self._base, self._base.engines, self._base.engines.bus
        worker = AssignmentWorker(
            engines.log, bus.fanout, bus.presence, base.pipeline.submit, self._agents,
            base.index.assigned, engines.clock,
            team_wait_ms=base.config.workers.team_wait_ms,
        )  # fmt: skip
        return worker.run()

    async def _agents(self) -> Sequence[Agent]:
        teams = await self._base.teams.all()
        return [
            Agent(
                id=user.id,
                name=user.name,
                accepting=user.accepting,
                teams=frozenset(team.id for team in teams if user.id in team.members),
            )
            for user in await self._base.users.all()
            if not user.disabled
        ]
