"""Processes of ours that are killed with SIGKILL; the supervisor starts them again."""

import asyncio

from qingniao.testing.drills.kinds import Break, Scene

__all__ = ["kill_all", "kill_in_turn", "kill_one"]


def kill_one(role: str) -> Break:
    """The first process of the role."""

    async def breaks(scene: Scene) -> dict[str, float]:
        await scene.cluster.kill(scene.cluster.of(role)[0])
        return {"kills": 1}

    return breaks


def kill_all(role: str) -> Break:
    """Every process of the role at once: nobody is left to stand in."""

    async def breaks(scene: Scene) -> dict[str, float]:
        programs = scene.cluster.of(role)
        await asyncio.gather(*map(scene.cluster.kill, programs))
        return {"kills": len(programs)}

    return breaks


def kill_in_turn(role: str) -> Break:
    """Every process of the role, the next when the one before serves and everybody is back."""

    async def breaks(scene: Scene) -> dict[str, float]:
        programs = scene.cluster.of(role)
        for program in programs:
            await scene.cluster.kill(program)
            await scene.load.everybody()
            await scene.load.acks(20)
        return {"kills": len(programs)}

    return breaks
