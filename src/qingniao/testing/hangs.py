"""A disk that hangs for some seconds: nothing is acked, and everything else goes on.

Owns the claim that waiting for the disk holds up nobody but those who wait for it: heartbeats,
`/healthz` and reading go on. Rule: what hangs is the engine's sync, for once.
"""

import asyncio
import time
from typing import Final

from msgspec import Struct

from qingniao.testing.injection import injected
from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.servers import LOADED, Start, health, pid_of

__all__ = ["HangSize", "hang_the_disk"]

_WARM_ACKS: Final = 50


class HangSize(Struct, frozen=True, kw_only=True):
    """How long one sync takes."""

    hung_s: float = 2.0
    load: Size = Size(pause_s=0.01)


async def hang_the_disk(start: Start, size: HangSize) -> Outcome:
    """One fdatasync of the message log takes seconds, under load."""
    server = await start(None, **LOADED)
    load = Load(size.load)
    found: list[str] = []
    slowest_s = 0.0
    async with load.open(server), load.talking():
        await load.acks(_WARM_ACKS)
        delay = f"delay_enter={round(size.hung_s * 1_000_000)}:when=1"
        async with injected(pid_of(server), "fdatasync", delay):
            ends = time.monotonic() + size.hung_s
            while time.monotonic() < ends:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(size.hung_s / 2):
                        await health(server.url)
                except (TimeoutError, OSError):
                    found.append("/healthz does not answer while the disk hangs.")
                    break
                slowest_s = max(slowest_s, time.monotonic() - began)
                await asyncio.sleep(0.05)
            await load.acks(_WARM_ACKS)
    outcome = await load.outcome(server, hung_s=size.hung_s, slowest_answer_s=round(slowest_s, 2))
    outcome.violations += found
    return outcome
