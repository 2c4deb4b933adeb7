"""SIGTERM under load, with a disk that works and with one that hangs.

Owns the promise of the drain: stop accepting, tell everybody to come back at a time of their own,
finish what is acked, exit within the deadline whatever hangs. Rule: the deadline is the server's
own setting and `GRACE_S`.
"""

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.protocol.codes import Close
from qingniao.replay.house import Api, OwnServer
from qingniao.testing.injection import SYNCS, injected
from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.seat import Seat
from qingniao.testing.servers import LOADED, Start, pid_of, send_signal, stop_hard

__all__ = ["GRACE_S", "DrainSize", "drain_on_a_hung_disk", "drain_under_load"]

GRACE_S: Final = 3.0
_WARM_ACKS: Final = 100
_SLACK_S: Final = 1.0
"""For a slow machine to start a thread and to end a process."""
_BACK_S: Final = 60.0
_GIVE_UP_S: Final = 6.0
"""How long beyond its deadline a server is watched before it is killed."""
_HUNG_S: Final = 30


class DrainSize(Struct, frozen=True, kw_only=True):
    """How many are there. `idle`: visitors who only listen, beside those who talk."""

    rounds: int = 1
    idle: int = 20
    drain_ms: int = 2_000
    load: Size = Size()


async def drain_under_load(start: Start, size: DrainSize) -> Outcome:
    """SIGTERM while everybody talks: everybody is told, and comes back to everything."""
    server = await start(None, **LOADED, QINGNIAO_GATEWAY_DRAIN_MS=str(size.drain_ms))
    port = int(server.url.rpartition(":")[2])
    load = Load(size.load)
    found: list[str] = []
    slowest_s = 0.0
    async with contextlib.AsyncExitStack() as stack, load.open(server):
        idle = [await _listen(server, number, stack) for number in range(size.idle)]
        async with load.talking():
            for _ in range(size.rounds):
                await load.acks(_WARM_ACKS)
                seats = [*load.seats, *idle]
                # Those whom the last round sent away are told nothing while they are away.
                await asyncio.gather(*(seat.client.ready(_BACK_S) for seat in seats))
                before = [len(seat.byes) for seat in seats]
                process = server.process
                slowest_s = max(slowest_s, await _ended(server, size, found))
                _check_byes(seats, before, found)
                if process is not None and (code := await process.wait()) != 0:
                    found.append(f"The server ended with status {code} after SIGTERM.")
                await server.stop()
                await server.start(port)
    outcome = await load.outcome(
        server, rounds=size.rounds, slowest_exit_s=round(slowest_s, 2),
        promised_s=size.drain_ms / 1000 + GRACE_S,
    )  # fmt: skip
    outcome.violations += found
    return outcome


async def drain_on_a_hung_disk(start: Start, size: DrainSize) -> Outcome:
    """SIGTERM while the disk does not answer: what is under way was not acked, and the process
    ends in spite of it."""
    server = await start(None, **LOADED, QINGNIAO_GATEWAY_DRAIN_MS=str(size.drain_ms))
    port = int(server.url.rpartition(":")[2])
    load = Load(size.load)
    found: list[str] = []
    async with load.open(server), load.talking():
        await load.acks(_WARM_ACKS)
        delay = f"delay_enter={_HUNG_S * 1_000_000}"
        async with injected(pid_of(server), SYNCS, delay):
            await asyncio.sleep(0.5)
            took_s = await _ended(server, size, found)
        await stop_hard(server)
        await server.start(port)
    outcome = await load.outcome(
        server, exit_s=round(took_s, 2), promised_s=size.drain_ms / 1000 + GRACE_S
    )
    outcome.violations += found
    return outcome


async def _listen(server: OwnServer, number: int, stack: contextlib.AsyncExitStack) -> Seat:
    token, _ = await Api(server.url).visitor()
    seat = Seat(server.url, f"idle{number}", token)
    await stack.enter_async_context(seat.client)
    await seat.client.ready()
    return seat


async def _ended(server: OwnServer, size: DrainSize, found: list[str]) -> float:
    """SIGTERM, and the seconds until it was gone; killed at last."""
    pid = pid_of(server)
    promised_s = size.drain_ms / 1000 + GRACE_S
    began = time.monotonic()
    send_signal(server, signal.SIGTERM)
    while await asyncio.to_thread(_runs, pid):
        took_s = time.monotonic() - began
        if took_s > promised_s + _GIVE_UP_S:
            found.append(f"SIGTERM did not end the server within {took_s:.0f} s.")
            server.kill()
            return took_s
        await asyncio.sleep(0.01)
    took_s = time.monotonic() - began
    if took_s > promised_s + _SLACK_S:
        found.append(f"The server ended {took_s:.1f} s after SIGTERM; promised are {promised_s:g}.")
    return took_s


def _runs(pid: int) -> bool:
    """False once it has exited, also while a tracer does not let its parent know."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _check_byes(seats: list[Seat], before: list[int], found: list[str]) -> None:
    told = [
        next((bye for bye in seat.byes[count:] if bye.code == Close.SHUTDOWN), None)
        for seat, count in zip(seats, before, strict=True)
    ]
    untold = [seat.name for seat, bye in zip(seats, told, strict=True) if bye is None]
    if untold:
        found.append(f"{len(untold)} of {len(seats)} were not told of the stop: {untold[:5]}.")
    waits = [bye.retry_after_ms for bye in told if bye is not None]
    if len(set(waits)) < len(waits) / 2 or min(waits, default=0) <= 0:
        found.append(f"Those who were sent away come back together: after {sorted(waits)} ms.")
