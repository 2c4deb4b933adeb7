"""Half-open connections: clients that are gone and nobody says so.

Owns three ways of being gone: both ways dead and the client with them, only the way to the server
dead, only the way to the client dead. Rule: the server is given the time that the protocol promises
and a little for a slow machine.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from qingniao.protocol.codes import Close
from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api, OwnServer
from qingniao.testing.history import violations
from qingniao.testing.load import Outcome
from qingniao.testing.network import Link, Network
from qingniao.testing.seat import Seat, history_of, until
from qingniao.testing.servers import LOADED, Start, hire, metric, resident_bytes

__all__ = ["HoleSize", "vanish"]

_HEART_S: Final = 2.0
"""The server's heart beats in whole seconds: one to notice, one to look."""
_SLACK_S: Final = 5.0
"""For the machine."""
_GROWTH_BYTES: Final = 32 << 20
"""Memory that may stay behind: what the connections needed is used again."""


class HoleSize(Struct, frozen=True, kw_only=True):
    """How many vanish in each of the three ways."""

    clients: int = 4
    beat_ms: int = 1_000


class _Guest(Struct):
    """A visitor, and the link by which they came."""

    conversation: int
    seat: Seat
    link: Link


async def vanish(start: Start, size: HoleSize) -> Outcome:
    """Clients vanish; the server closes them in time, says so where it can be heard, and those who
    come back have lost nothing."""
    server = await start(None, **LOADED, QINGNIAO_WIRE_BEAT_MS=str(size.beat_ms))
    (api,) = await hire(server, 1)
    agent = Seat(server.url, "agent", api.ticket)
    found: list[str] = []
    promised_s = 3 * size.beat_ms / 1000 + _HEART_S
    async with agent.client, Network(server.url) as network, contextlib.AsyncExitStack() as stack:
        await agent.client.ready()
        before = await resident_bytes(server)
        guests = [await _arrive(server, network, n, stack) for n in range(size.clients * 3)]
        for guest in guests:
            agent.client.follow(guest.conversation)
            await until(lambda c=guest.conversation: _is_online(agent, c))  # type: ignore[misc]
        gone, unheard, deaf = (guests[n::3] for n in range(3))
        began = time.monotonic()
        deadline = began + promised_s + _SLACK_S
        for guest in guests:
            guest.link.hole(*("up",) if guest in unheard else ("down",) if guest in deaf else ())
        for guest in gone:
            guest.seat.is_whole = False
            await guest.seat.client.close()
        told_s = await _by(deadline, lambda: all(_was_told(g.seat) for g in unheard), began)
        if told_s is None:
            found.append("Clients that could not be heard were not told so in time.")
        offline_s = await _by(
            deadline, lambda: not any(_is_online(agent, g.conversation) for g in gone), began
        )
        if offline_s is None:
            found.append("Visitors that had vanished were still shown as present.")
        for guest in (*unheard, *deaf):
            async with asyncio.timeout(30):
                await guest.seat.say(guest.conversation, f"怎么退货 {guest.seat.name} again")
            if guest.seat.client.connects < 2:
                found.append(f"{guest.seat.name} was cut off and did not come back.")
        staying = len(unheard) + len(deaf) + 1
        left = await _connections(server, staying)
        if left != staying:
            found.append(f"{left:g} connections are open, and {staying} clients are here.")
        growth = await resident_bytes(server) - before
        if growth > _GROWTH_BYTES:
            found.append(f"{growth} bytes stayed with the server.")
        entries = 0
        for guest in guests:
            if guest.seat.is_whole:
                await until(lambda g=guest: _is_answered(g))  # type: ignore[misc]
            log = await agent.read(guest.conversation)
            entries += len(log)
            records = [seat.record(guest.conversation) for seat in (guest.seat, agent)]
            found += violations(history_of(guest.conversation, log, records))
    return Outcome(
        violations=found,
        sent=sum(len(guest.seat.said[guest.conversation]) for guest in guests),
        acked=sum(guest.seat.acked for guest in guests),
        entries=entries,
        connections=network.connections,
        silence_s=0.0,
        figures={
            "vanished": len(guests),
            "promised_s": promised_s,
            "told_s": round(told_s or 0.0, 1),
            "offline_s": round(offline_s or 0.0, 1),
            "growth_mb": round(growth / 1e6, 1),
        },
    )


async def _arrive(
    server: OwnServer, network: Network, number: int, stack: contextlib.AsyncExitStack
) -> _Guest:
    """A visitor by way of the network, who has said something and been answered."""
    token, conversation = await Api(server.url).visitor()
    seat = Seat(network.url, f"visitor{number}", token)
    await stack.enter_async_context(seat.client)
    await seat.client.ready()
    guest = _Guest(conversation, seat, network.links[-1])
    await seat.say(conversation, f"怎么退货 {seat.name} is here")
    await until(lambda: _is_answered(guest))
    return guest


def _is_answered(guest: _Guest) -> bool:
    last = guest.seat.last_shown(guest.conversation)
    return last is not None and last.sender == "b" and last.type == EntryType.ANSWER


def _is_online(agent: Seat, conversation: int) -> bool:
    return bool(agent.client.states.get(conversation, {}).get("online"))


def _was_told(seat: Seat) -> bool:
    return any(bye.code == Close.SILENT for bye in seat.byes)


async def _by(deadline: float, claim: Callable[[], bool], began: float) -> float | None:
    """After how many seconds it came true; `None` if not in time."""
    while not claim():
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def _connections(server: OwnServer, wanted: int) -> float:
    """How many the server has open, once they are as many as wanted or for good."""
    left = await metric(server.url, "connections")
    for _ in range(50):
        if left == wanted:
            break
        await asyncio.sleep(0.1)
        left = await metric(server.url, "connections")
    return left
