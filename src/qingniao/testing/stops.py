"""Processes that stand still: SIGSTOP for the server, SIGSTOP for a client, then SIGCONT."""

import asyncio
import signal
import time
from typing import Final

from msgspec import Struct

from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.servers import LOADED, Start, metric, send_signal
from qingniao.testing.talker import Part, Talker

__all__ = ["StopSize", "stop_a_client", "stop_the_server"]

_WARM_ACKS: Final = 50
_ANSWER_S: Final = 60.0
_SLACK_S: Final = 10.0
"""For the server's heart on a slow machine."""


class StopSize(Struct, frozen=True, kw_only=True):
    """How long. `beat_ms`: above half of the stop nobody notices, far below everybody does."""

    stopped_s: float = 3.0
    beat_ms: int = 45_000
    load: Size = Size(pause_s=0.01)


async def stop_the_server(start: Start, size: StopSize) -> Outcome:
    """It stands still under load and goes on; its clients wait, or leave and come back."""
    server = await start(None, **LOADED, QINGNIAO_WIRE_BEAT_MS=str(size.beat_ms))
    load = Load(size.load)
    async with load.open(server), load.talking():
        await load.acks(_WARM_ACKS)
        send_signal(server, signal.SIGSTOP)
        await asyncio.sleep(size.stopped_s)
        send_signal(server, signal.SIGCONT)
        await load.acks(_WARM_ACKS, _ANSWER_S)
    outcome = await load.outcome(server, stopped_s=size.stopped_s)
    outcome.figures["reconnects"] = outcome.connections - len(load.seats)
    return outcome


async def stop_a_client(start: Start, size: StopSize) -> Outcome:
    """It stands still while others talk to it; the server sends it away, and it comes back to
    everything that it missed."""
    server = await start(None, **LOADED, QINGNIAO_WIRE_BEAT_MS=str(size.beat_ms))
    load = Load(size.load)
    async with load.open(server):
        conversation = next(iter(load.owned))
        token = load.visitors[conversation].token
        part = Part(
            url=server.url,
            name="stopped",
            token=token if isinstance(token, str) else await token(),
            conversation=conversation,
            pause_s=size.load.pause_s,
        )
        async with Talker.open(part) as talker, load.talking():
            await load.acks(_WARM_ACKS)
            before = await metric(server.url, "connections")
            talker.stop()
            await asyncio.sleep(size.stopped_s)
            # The client may never read why: what it writes first, when it goes on, breaks the rest.
            deadline = time.monotonic() + _SLACK_S
            while not (sent_away := before - await metric(server.url, "connections")):
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.1)
            talker.go_on()
            await load.acks(_WARM_ACKS)
            record = await talker.end()
        load.guests.append((conversation, record))
    outcome = await load.outcome(server, stopped_s=size.stopped_s)
    outcome.figures["sent_away"] = sent_away
    outcome.figures["its_connections"] = len(record.reader.sights)
    return outcome
