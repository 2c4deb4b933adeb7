"""Processes whose clocks are minutes apart, by Debian's `faketime`.

Owns how a process is given another clock; refuses to touch the time that only counts seconds: no
clock that is set wrong does that either.
"""

import asyncio
from pathlib import Path
from typing import Final

from qingniao.testing.drills.kinds import Scene

__all__ = ["clocks_apart", "find_faketime"]

_APART_S: Final = 300
_KEPT_S: Final = 2.0
_ROLES: Final = ("gateway", "worker:ai", "worker:assignment")


def find_faketime() -> str:
    """The library that does it; "" where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else ""


async def clocks_apart(scene: Scene) -> dict[str, float]:
    """The first of each kind goes five minutes ahead; then the others, whose clocks are right, are
    killed, so that one with another clock takes over, and back."""
    cluster = scene.cluster
    library = await asyncio.to_thread(find_faketime)
    ahead = [cluster.of(role)[0] for role in _ROLES]
    for program in ahead:
        await cluster.restart(
            program, LD_PRELOAD=library, FAKETIME=f"+{_APART_S}s",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )  # fmt: skip
    await scene.load.everybody()
    await asyncio.sleep(_KEPT_S)
    for role in _ROLES:
        await cluster.kill(cluster.of(role)[-1])
    await scene.load.everybody()
    await asyncio.sleep(_KEPT_S)
    for program in ahead:
        await cluster.restart(program, LD_PRELOAD="", FAKETIME="")
    return {"apart_s": _APART_S}
