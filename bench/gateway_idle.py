"""What an idle connection costs: memory with heartbeats, everything of the server included.

Visitors connect in three groups (`native/load.c` without sends), answer heartbeats and say
nothing. RSS is read after each group has settled; `bytes_each` is its growth over the empty server
divided by the connections, and `straightness` how far the middle point is from the line between
the outer ones, in percent.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.gateway_cost import compiled, figures
from bench.run import Goal
from qingniao.auth import KeyRing, Signer
from qingniao.clock import wall_ms
from qingniao.errors import StartError
from qingniao.replay.house import OwnServer

__all__ = ["GOALS", "connect_idle", "measure"]

GOALS: Final = {
    "bytes_each": Goal("<=", 10_240),
    "dropped": Goal("<=", 0),
}

_GROUPS: Final = (5_000, 5_000, 9_000)
_QUICK: Final = (1_000, 1_000, 2_000)
_SETTINGS: Final = {"QINGNIAO_LOG_LEVEL": "error", "QINGNIAO_WIRE_BEAT_MS": "20000"}
_SETTLE_S: Final = 3.0


def measure(quick: bool) -> Mapping[str, object]:
    """One server, three groups; the last group stays for three minutes (quick: ten seconds)."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(
            _measure(Path(folder), _QUICK if quick else _GROUPS, 10 if quick else 180)
        )


async def _measure(folder: Path, groups: tuple[int, ...], seconds: int) -> Mapping[str, object]:
    load = compiled(folder)
    async with OwnServer(_SETTINGS, folder / "data") as server:
        if server.process is None:
            raise StartError("The server did not start.")
        pid = server.process.pid
        signer = Signer(KeyRing.open(folder / "data" / "keys"))
        port = int(server.url.rpartition(":")[2])
        points = [(0, _rss(pid))]
        children = []
        for group in groups:
            first = 1_000_000 + points[-1][0]
            children.append(await connect_idle(load, port, folder, signer, first, group, seconds))
            await asyncio.sleep(_SETTLE_S)
            points.append((points[-1][0] + group, _rss(pid)))
        ends = [figures((await child.communicate())[0]) for child in children]
    last, most = points[-1]
    middle, between = points[2]
    expected = points[1][1] + (most - points[1][1]) * (middle - points[1][0]) / (
        last - points[1][0]
    )
    return {
        "connections": last,
        "bytes_each": round((most - points[0][1]) / last),
        "dropped": int(sum(end["errors"] for end in ends)),
        "heartbeats": int(sum(end["beats"] for end in ends)),
        "straightness_percent": round(abs(between - expected) / most * 100, 1),
        "empty_mb": round(points[0][1] / 1e6, 1),
        "full_mb": round(most / 1e6, 1),
        "seconds": seconds,
    }


async def connect_idle(
    load: Path, port: int, folder: Path, signer: Signer, first: int, count: int, seconds: int
) -> asyncio.subprocess.Process:
    """A group of visitors who say nothing, numbered from `first`, all welcome when this returns."""
    path = folder / f"group-{first}"
    tokens = ((n, signer.visitor(f"idle{n}", n, wall_ms())[0]) for n in range(first, first + count))
    path.write_text("".join(f"{token} {n} 0\n" for n, token in tokens))
    child = await asyncio.create_subprocess_exec(
        str(load), "load", str(port), str(path), str(seconds), "0", stdout=asyncio.subprocess.PIPE
    )
    if child.stdout is None:
        raise StartError("The load cannot be read.")
    async with asyncio.timeout(120):
        if (await child.stdout.readline()).strip() != b"up":
            raise StartError("The visitors could not connect.")
    return child


def _rss(pid: int) -> int:
    """Resident bytes of the process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
