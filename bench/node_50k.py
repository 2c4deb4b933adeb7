"""50,000 connections on one machine: three gateways, a Redis, a PostgreSQL, the workers.

Three generators (`native/talk.c`) with a third of the connections each, from 250 addresses, spread
over the gateways as a load balancer would; they answer heartbeats. 1,500 of them are visitors with
a conversation that one of 15 agents' connections has, mostly on another gateway: these say 500
messages a second, visitor to agent, for three minutes. Latencies count from when a message was due
until the agent has it, each figure that of the worst generator. Memory is PSS. `bytes_each` is the
gateways' growth from when they were empty to the highest seen during the load, divided by the
connections; `total_mb` the highest of all processes of ours together: gateways, an api, a worker
that answers, and one for assignment, analytics and delivery (`qingniao cluster --together`).
PostgreSQL and Redis are beside, and so is `kernel_bytes_each`: by how much the kernel's own memory
(slab) grew for each end of a connection. Everything runs on the same cores, generators included.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.gateway_cost import compiled
from bench.native.generator import FIRST, Talk, parties
from bench.native.witness import lasts
from bench.run import Goal
from bench.scaled.installation import Installation
from bench.scaled.processes import cpu_s, kernel_bytes, pss_bytes

__all__ = ["GOALS", "Plan", "measure"]

GOALS: Final = {
    "bytes_each": Goal("<=", 10_240),
    "total_mb": Goal("<=", 800),
    "dropped": Goal("<=", 0),
    "messages_per_s": Goal(">=", 495),
    "p99_ms": Goal("<=", 100),
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
}

_GATEWAYS: Final = 3
_GENERATORS: Final = 3
_AGENTS: Final = 5
"""Agents' connections of a generator."""
_RATE: Final = 500
"""Messages a second, all together."""
_PATIENCE_S: Final = 180.0
_LOOK_S: Final = 5.0


class Plan:
    """How much of everything."""

    def __init__(self, quick: bool) -> None:
        self.connections = 3_000 if quick else 50_000
        self.visitors = 50 if quick else 500
        """Of a generator, those who talk."""
        self.ramp = 250 if quick else 400
        """Connections that a generator opens in a second."""
        self.seconds = 12.0 if quick else 180.0
        self.settle_s = 2.0 if quick else 10.0
        self.settings = {"QINGNIAO_WIRE_BEAT_MS": "5000" if quick else "20000"}

    def shares(self) -> Iterator[tuple[int, int]]:
        """(first conversation, silent visitors) of each generator."""
        first = FIRST
        for number in range(_GENERATORS):
            share = (self.connections + number) // _GENERATORS
            yield first, share - self.visitors - _AGENTS
            first += share


def measure(quick: bool) -> Mapping[str, object]:
    """One installation, filled once."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), Plan(quick)))


async def _measure(folder: Path, plan: Plan) -> Mapping[str, object]:
    program = compiled(folder)
    loop = asyncio.get_running_loop()
    async with Installation(_GATEWAYS, settings=plan.settings) as installation:
        await asyncio.sleep(plan.settle_s)
        empty = {role: pss_bytes(pids) for role, pids in installation.roles().items()}
        kernel, began = kernel_bytes(), loop.time()
        async with contextlib.AsyncExitStack() as stack:
            talks = [
                await stack.enter_async_context(talk)
                for talk in _generators(folder, program, installation, plan)
            ]
            for talk in talks:
                talk.tell(f"ramp {plan.ramp}")
            ready = await _ask(talks, "prepare", _PATIENCE_S)
            connect_s = loop.time() - began
            await asyncio.sleep(plan.settle_s)
            kernel = kernel_bytes() - kernel
            found = await _load(installation, talks, plan)
            in_log = await _in_log(installation, plan)
        totals = found.pop("totals")
    highest: dict[str, int] = found.pop("highest")
    connected = plan.connections
    visitors = plan.visitors * _GENERATORS
    acked = _sum(totals, "acked")
    return {
        "connections": connected,
        "bytes_each": round((highest["gateway"] - empty["gateway"]) / connected),
        "total_mb": _mb(highest["ours"]),
        "dropped": _sum(totals, "dropped"),
        "lost": _sum(totals, "missing", "skipped", "unacked")
        + visitors - _sum(ready, "prepared") + max(0, acked + visitors - in_log),
        "repeated": _sum(totals, "repeated") + max(0, in_log - acked - visitors),
        **found,
        "heartbeats": _sum(totals, "beats"),
        "busy": _sum(totals, "busy"),
        "errors": _sum(totals, "errors"),
        "gaps": _sum(totals, "gaps"),
        "byes": _sum(totals, "byes"),
        "last_bye": max(total["last_bye"] for total in totals),
        "connects_per_s": round(connected / connect_s),
        "kernel_bytes_each": round(kernel / connected / 2),
        "empty_mb": _mb(sum(empty.values())),
        "gateway_empty_mb": _mb(empty["gateway"] / _GATEWAYS),
        **{f"{role}_mb": _mb(highest[role]) for role in empty},
        "redis_mb": _mb(highest["redis"]),
        "postgres_mb": _mb(highest["postgres"]),
        "seconds": plan.seconds,
    }  # fmt: skip


def _generators(
    folder: Path, program: Path, installation: Installation, plan: Plan
) -> Iterator[Talk]:
    for first, silent in plan.shares():
        people = folder / f"parties-{first}"
        people.write_text(
            parties(
                installation.signer, installation.ticket, plan.visitors, _AGENTS,
                silent=silent, first=first,
            )
        )  # fmt: skip
        yield Talk(program, installation.gateways, people, is_held=False)


async def _load(installation: Installation, talks: Sequence[Talk], plan: Plan) -> dict[str, Any]:
    """Talk for so long, with an eye on memory and CPU."""
    roles = installation.roles() | {
        "redis": installation.pids("redis"), "postgres": installation.pids("postgres")
    }  # fmt: skip
    highest = dict.fromkeys([*roles, "ours"], 0)
    before = {role: cpu_s(pids) for role, pids in roles.items()}
    looking = asyncio.create_task(_look(roles, highest))
    try:
        for talk in talks:
            talk.tell(f"pace {_RATE / len(talks):g} 1")
        runs = await _ask(talks, "measure", plan.seconds)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    cpu = {f"{role}_cpu": cpu_s(pids) - before[role] for role, pids in roles.items()}
    totals = await _ask(talks, "drain", _PATIENCE_S)
    return {
        "messages_per_s": round(_sum(runs, "delivered") / plan.seconds, 1),
        "p50_ms": _worst_ms(runs, "way_p50_us"),
        "p99_ms": _worst_ms(runs, "way_p99_us"),
        "p999_ms": _worst_ms(runs, "way_p999_us"),
        "ack_p99_ms": _worst_ms(runs, "p99_us"),
        **{name: round(used / plan.seconds, 3) for name, used in cpu.items()},
        "highest": highest,
        "totals": totals,
    }


async def _look(roles: Mapping[str, Sequence[int]], highest: dict[str, int]) -> None:
    while True:
        now = {role: pss_bytes(pids) for role, pids in roles.items()}
        now["ours"] = sum(size for role, size in now.items() if role not in ("redis", "postgres"))
        for role, size in now.items():
            highest[role] = max(highest[role], size)
        await asyncio.sleep(_LOOK_S)


async def _in_log(installation: Installation, plan: Plan) -> int:
    """Entries of all conversations in which somebody talks, as a gateway tells them."""
    numbers = [n for first, _ in plan.shares() for n in range(first, first + plan.visitors)]
    return sum((await lasts(installation.url(), installation.ticket, numbers)).values())


async def _ask(talks: Sequence[Talk], command: str, seconds: float) -> list[dict[str, Any]]:
    return await asyncio.gather(*(talk.ask(command, seconds) for talk in talks))


def _sum(answers: Sequence[Mapping[str, Any]], *names: str) -> int:
    return sum(int(answer[name]) for answer in answers for name in names)


def _worst_ms(answers: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(max(answer[name] for answer in answers) / 1000)


def _mb(size: float) -> float:
    return round(size / 1e6, 1)
