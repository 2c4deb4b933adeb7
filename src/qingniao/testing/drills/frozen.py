"""Processes that stand still for longer than anybody waits for them, and go on as if nothing had
been: what they do then is stale.

Rule: of a role that only one process has at a time, it is that one.
"""

import asyncio
from typing import Final

from qingniao.cluster.child import Program
from qingniao.testing.drills.cluster import DrillCluster
from qingniao.testing.drills.kinds import Break, Scene

__all__ = ["freeze"]

_LEASES: Final = {"worker:assignment": "assignment"}
_TAKEN_S: Final = 30.0
"""A lease of somebody who died runs out before that."""
_LOOK_S: Final = 0.2


def freeze(role: str) -> Break:
    """SIGSTOP to a process of the role, SIGCONT when others have its work."""

    async def breaks(scene: Scene) -> dict[str, float]:
        cluster = scene.cluster
        program = await _at_work(cluster, role)
        cluster.freeze(program)
        try:
            await asyncio.sleep(scene.lengths.frozen_s)
        finally:
            cluster.thaw(program)
        await scene.load.everybody()
        await scene.load.acks(20)
        return {"frozen_s": scene.lengths.frozen_s}

    return breaks


async def _at_work(cluster: DrillCluster, role: str) -> Program:
    """The one that holds the role's lease; without a lease, the first. Raises `TimeoutError` when
    none of them comes to hold it."""
    programs = cluster.of(role)
    if role not in _LEASES:
        return programs[0]
    async with asyncio.timeout(_TAKEN_S):
        while True:
            holder = await cluster.holder(_LEASES[role])
            for program in programs:
                if f":{program.pid}:" in holder:
                    return program
            await asyncio.sleep(_LOOK_S)
