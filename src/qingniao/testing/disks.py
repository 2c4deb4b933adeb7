"""Disks that fail under load: fsync errors, writes that find no room, a small disk that is full.

Owns what is done to the disk and what everybody must hear of it; refuses to look into the files.
Rule: a fault lasts until the server has said what is wrong, and then the disk is well again, or the
server is killed with the fault still there.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.errors import StartError
from qingniao.protocol.codes import Close, Code
from qingniao.replay.house import Api, OwnServer
from qingniao.testing.injection import SYNCS, WRITES, injected
from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.seat import Seat
from qingniao.testing.servers import LOADED, Start, health, pid_of, stop_hard

__all__ = ["DiskSize", "fill_the_disk", "fsync_fails", "small_disk"]

_WARM_ACKS: Final = 30
_TOLD_S: Final = 30.0
_WELL_S: Final = 30.0
_AHEAD: Final = 60
"""So many numbers of files that the engine has yet to open are watched too."""


class DiskSize(Struct, frozen=True, kw_only=True):
    """How often."""

    rounds: int = 4
    load: Size = Size(by_bot=2, by_people=2, agents=1, pause_s=0.02)


_MUCH: Final = Size(by_bot=1, by_people=3, agents=1, pause_s=0.02, longer_chars=3_000)
"""What uses up the room that the log has made for itself before the disk was full."""


class _Fault(Struct, frozen=True):
    """What fails, and whether the server dies with it or the disk gets well."""

    calls: str
    what: str
    kills: bool
    in_log_only: bool = False
    lasts: bool = True
    """False: a single call fails, and `/healthz` may be well again before anybody asks."""


_FAULTS: Final = (
    _Fault(SYNCS, "error=EIO", kills=True),
    _Fault(WRITES, "error=ENOSPC", kills=False, in_log_only=True),
    _Fault("fdatasync", "error=EIO:when=1", kills=False, lasts=False),
    _Fault(SYNCS, "error=EIO", kills=False),
    _Fault("fdatasync", "error=EIO", kills=True),
    _Fault(WRITES, "error=ENOSPC", kills=True, in_log_only=True),
)


async def fsync_fails(start: Start, size: DiskSize) -> Outcome:
    """One fault after the other on the running server's system calls."""
    server = await start(None, **LOADED)
    port = int(server.url.rpartition(":")[2])
    load = Load(size.load)
    found: list[str] = []
    starts: list[float] = []
    async with load.open(server), load.talking():
        for number in range(size.rounds):
            await load.acks(_WARM_ACKS)
            fault = _FAULTS[number % len(_FAULTS)]
            heard = _Heard(load.seats)
            paths = await asyncio.to_thread(_log_files, server) if fault.in_log_only else ()
            async with injected(pid_of(server), fault.calls, fault.what, paths=paths):
                await _expect(f"round {number}", heard, found)
                if fault.lasts:
                    await _expect_health(server, (503, "storage"), found)
                if fault.kills:
                    await stop_hard(server)
            if fault.kills:
                began = time.perf_counter()
                await server.start(port)
                starts.append(time.perf_counter() - began)
            await _expect_health(server, (200, "ok"), found)
    outcome = await load.outcome(
        server, rounds=size.rounds, start_slowest_s=round(max(starts, default=0.0), 2)
    )
    outcome.violations += found
    return outcome


async def fill_the_disk(start: Start, disk: Path, size: DiskSize) -> Outcome:
    """Everything of a server is on a small disk, its database and its own words too; it fills up
    and has room again."""
    server = await start(disk / "data", **LOADED)
    await server.stop()
    server.errors_to = disk / "server.log"
    await server.start(int(server.url.rpartition(":")[2]))
    load = Load(_MUCH)
    found: list[str] = []
    api = Api(server.url)
    filler = disk / "filler"
    async with load.open(server):
        await api.sign_in("admin", "correct horse battery")
        async with load.talking():
            for number in range(size.rounds):
                await load.acks(_WARM_ACKS)
                heard = _Heard(load.seats)
                filling = asyncio.create_task(_keep_full(filler))
                try:
                    await _expect(f"round {number}", heard, found)
                    await _expect_health(server, (503, "storage"), found)
                    await _expect_refusal(api, number, found)
                finally:
                    filling.cancel()
                    await asyncio.gather(filling, return_exceptions=True)
                    await asyncio.to_thread(filler.unlink)
                await _expect_health(server, (200, "ok"), found)
                body = {"login": f"late{number}", "name": "晚", "role": "agent"}
                await api.call("POST", "/users", body)
    outcome = await load.outcome(server, rounds=size.rounds)
    outcome.violations += found
    return outcome


@contextlib.asynccontextmanager
async def small_disk(folder: Path, size_mb: int = 128) -> AsyncIterator[Path]:
    """A disk of its own at `folder`. Raises `StartError` where mounting is not permitted."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    if not await _ran("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)):
        raise StartError("Mounting a small disk is not permitted here; it takes root.")
    try:
        yield folder
    finally:
        await _ran("umount", "-l", str(folder))


async def _ran(*command: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return False
    return await process.wait() == 0


class _Heard:
    """What these people have been told since now."""

    def __init__(self, seats: list[Seat]) -> None:
        self._from = [(seat, len(seat.errors), len(seat.byes)) for seat in seats]

    def storage(self) -> bool:
        """Was somebody told that it is the disk, twice: for the message and for the connection?"""
        return any(
            any(e.code == Code.STORAGE_FULL and e.temporary for e in seat.errors[errors:])
            and any(b.code == Close.STORAGE and b.retry_after_ms for b in seat.byes[byes:])
            for seat, errors, byes in self._from
        )


async def _expect(when: str, heard: _Heard, found: list[str]) -> None:
    if not await _true_within(_TOLD_S, heard.storage):
        found.append(f"In {when} no sender was told that the disk is ill.")


async def _expect_health(server: OwnServer, wanted: tuple[int, str], found: list[str]) -> None:
    said: object = None
    deadline = time.monotonic() + _WELL_S
    while time.monotonic() < deadline:
        said = await health(server.url)
        if said == wanted:
            return
        await asyncio.sleep(0.05)
    found.append(f"/healthz says {said} where it should say {wanted}.")


async def _true_within(within_s: float, claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def _expect_refusal(api: Api, number: int, found: list[str]) -> None:
    """The database is full as well: who asks for a new row is told so."""
    body = {"login": f"never{number}", "name": "x" * 60, "role": "agent"}
    try:
        await api.call("POST", "/users", body)
    except StartError as exc:
        if " 507 " not in str(exc) and " 503 " not in str(exc):
            found.append(f"With a full disk, a new user is answered with {str(exc)[:200]}")


def _log_files(server: OwnServer) -> list[Path]:
    """The engine's log of now, and those that it may begin after it."""
    folder = server.data / "messages"
    last = max(int(path.stem) for path in folder.glob("*.log"))
    names = [f"{n:06}.log" for n in range(last, last + _AHEAD)]
    return [folder / name for name in names]


async def _keep_full(filler: Path) -> None:
    """Take every byte, again whenever somebody has let go of one."""
    while True:
        await asyncio.to_thread(_fill, filler)
        await asyncio.sleep(0.05)


def _fill(filler: Path) -> None:
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4_096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
