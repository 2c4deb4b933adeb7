"""A cluster whose processes go, restarted in good order or killed, while everybody talks.

Owns the steps and what must hold after each; refuses to know how processes are kept. Rule: whoever
is killed is waited for before the next one dies, as an operator would.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from qingniao.testing.clusters import OwnCluster
from qingniao.testing.load import Load, Outcome, Size

__all__ = ["CLUSTER_LOADED", "Step", "kill_each", "restart_each", "under_load"]

_WARM_ACKS: Final = 50
CLUSTER_LOADED: Final = {
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_LOG_LEVEL": "warning",
    # Whatever a screen missed is sent again, however much: screens are compared whole.
    "QINGNIAO_WIRE_REPLAY": "10000000",
}

Step = Callable[[OwnCluster], Awaitable[dict[str, float]]]
"""Does something to the cluster; what it counted. Raises `StartError` when that did not work."""


async def under_load(cluster: OwnCluster, size: Size, *steps: Step) -> Outcome:
    """All steps, one after the other, while everybody talks; after each everybody is back."""
    load = Load(size)
    figures: dict[str, float] = {}
    async with load.open(cluster), load.talking():
        for step in steps:
            await load.acks(_WARM_ACKS)
            figures |= await step(cluster)
            await load.everybody()
            await load.acks(_WARM_ACKS)
    return await load.outcome(cluster, **figures)


async def restart_each(cluster: OwnCluster) -> dict[str, float]:
    """The rolling restart: every process of ours becomes another."""
    before = {process.name: process.pid for process in await cluster.processes()}
    await cluster.restart_all()
    ours = [p for p in await cluster.processes() if p.role.startswith(("gateway", "api", "worker"))]
    changed = [process for process in ours if process.pid != before[process.name]]
    return {"restarted": len(changed), "left_alone": len(ours) - len(changed)}


def kill_each(*roles: str) -> Step:
    """Every process of these roles is killed with SIGKILL."""

    async def step(cluster: OwnCluster) -> dict[str, float]:
        kills = 0
        for role in roles:
            for process in await cluster.processes(role):
                await cluster.kill(process)
                kills += 1
        return {"kills": kills}

    return step
