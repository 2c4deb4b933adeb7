"""The same messages through one process and through many: CPU and latency of each.

`embedded` is one process with RocksDB. `standalone1` to `standalone3` are an installation as
`qingniao cluster --together` starts it, with so many gateways, an api, a worker that answers, one
for all that the others do, PostgreSQL and one Redis; in `cluster1` to `cluster3` Redis is a cluster
of six. Everywhere the same 200 visitors and four agents' connections, spread over the gateways,
talk to each other (`native/talk.c`).

At a pace of 1,000 messages a second: `…_us` is the CPU of all processes of ours (workers and
projections included, also what they use when nobody talks) divided by the messages acked,
`…_redis_us` and `…_postgres_us` that of the servers beside; `…_p50_ms`, `…_p99_ms` are from when a
message was due until the other side has it. `…_over_embedded` compares `…_us` with three gateways.
At the most that is taken (8 unacked messages a side): `…_most_per_s` and `…_most_us`, compared by
`…_most_over_embedded`, without a goal. `…_slope_us` is what another gateway adds to `…_us`.
`…_idle_cpu` is what our processes use while all are connected and nobody talks, in cores;
`…_stored_bytes` what an entry takes in PostgreSQL's tables of entries, with its index, when its
text has 120 bytes. Nothing is held on a core: the generator runs on the same two.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from bench.gateway_cost import compiled
from bench.native.generator import Talk, parties
from bench.native.house import ANY_RATE, ONE_AGENT, opened
from bench.run import Goal
from bench.scaled.installation import Installation, RedisKind
from bench.scaled.processes import cpu_s

__all__ = ["GOALS", "Arrangement", "measure"]

GOALS: Final = {
    "standalone_over_embedded": Goal("<=", 3),
    "cluster_over_embedded": Goal("<=", 3),
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
    "dropped": Goal("<=", 0),
}

_VISITORS: Final = 200
_AGENTS: Final = 4
_PACE: Final = 1_000
_WINDOW: Final = 8
_COUNTED: Final = ("repeated", "dropped", "busy", "errors", "gaps")
_WARM_S: Final = 2.0
_PATIENCE_S: Final = 60.0


class Arrangement(Struct, frozen=True):
    """What the messages go through."""

    name: str
    gateways: int = 0
    """0: embedded."""
    redis: RedisKind = "standalone"


_FULL: Final = (
    Arrangement("embedded"),
    *(Arrangement(f"standalone{n}", n) for n in (1, 2, 3)),
    *(Arrangement(f"cluster{n}", n, "cluster") for n in (1, 2, 3)),
)
_QUICK: Final = tuple(a for a in _FULL if a.gateways in (0, 3) or a.name == "standalone1")


def measure(quick: bool) -> Mapping[str, object]:
    """Each arrangement once, one after the other."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), *((_QUICK, 5.0) if quick else (_FULL, 20.0))))


async def _measure(
    folder: Path, arrangements: Sequence[Arrangement], seconds: float
) -> Mapping[str, object]:
    program = compiled(folder)
    found: dict[str, Any] = {}
    totals = dict.fromkeys(("lost", *_COUNTED), 0)
    for arrangement in arrangements:
        async with _open(arrangement, folder) as subject:
            figures, total = await _talk(program, folder, subject, seconds)
        found |= {f"{arrangement.name}_{name}": figure for name, figure in figures.items()}
        for name, figure in total.items():
            totals[name] += figure
    ratios = {
        f"{kind}_{word}over_embedded": round(
            found[f"{kind}3_{word}us"] / found[f"embedded_{word}us"], 2
        )
        for word in ("", "most_")
        for kind in ("standalone", "cluster")
    }
    slopes = {
        f"{kind}_slope_us": round((found[f"{kind}3_us"] - found[f"{kind}1_us"]) / 2, 1)
        for kind in ("standalone", "cluster")
        if f"{kind}1_us" in found
    }
    return {**ratios, **slopes, **totals, **found, "pace": _PACE, "seconds": seconds}


class _Subject(Struct, frozen=True, kw_only=True):
    """Where the messages go, and whose CPU that is."""

    ports: Sequence[int]
    people: str
    pids: Mapping[str, Sequence[int]]
    """Role → processes; `postgres` and `redis` are not ours."""
    installation: Installation | None = None


@contextlib.asynccontextmanager
async def _open(arrangement: Arrangement, folder: Path) -> AsyncIterator[_Subject]:
    if not arrangement.gateways:
        async with opened(folder / arrangement.name, ONE_AGENT | ANY_RATE) as house:
            yield _Subject(
                ports=[house.port],
                people=parties(house.signer, house.ticket, _VISITORS, _AGENTS),
                pids={"all": [house.pid]},
            )
        return
    async with Installation(arrangement.gateways, arrangement.redis, ANY_RATE) as installation:
        beside = {role: installation.pids(role) for role in ("postgres", "redis")}
        yield _Subject(
            ports=installation.gateways,
            people=parties(installation.signer, installation.ticket, _VISITORS, _AGENTS),
            pids=installation.roles() | beside,
            installation=installation,
        )


async def _talk(
    program: Path, folder: Path, subject: _Subject, seconds: float
) -> tuple[dict[str, float], dict[str, int]]:
    people = folder / "parties"
    people.write_text(subject.people)
    async with Talk(program, subject.ports, people, is_held=False) as talk:
        await talk.ask("prepare", _PATIENCE_S)
        await asyncio.sleep(_WARM_S)  # what the preparation left to the workers
        idle = _Cpu(subject)
        await asyncio.sleep(seconds / 2)
        idle_cpu = idle.ours() / (seconds / 2)
        talk.tell(f"pace {_PACE}")
        await asyncio.sleep(_WARM_S)
        paced = _Cpu(subject)
        run = await talk.ask("measure", seconds)
        costs = paced.each_us(run["acked"])
        talk.tell("pace 0")
        await asyncio.sleep(_WARM_S)
        closed = _Cpu(subject)
        most = await talk.ask(f"closed {_WINDOW}", seconds / 2)
        most_us = closed.ours() / max(1, most["acked"]) * 1e6
        total = await talk.ask("drain", _PATIENCE_S)
    stored = await _stored(subject)
    figures = {
        **costs,
        "p50_ms": run["way_p50_us"] / 1000,
        "p99_ms": run["way_p99_us"] / 1000,
        "ack_p99_ms": run["p99_us"] / 1000,
        "per_s": round(run["acked"] / run["seconds"]),
        "most_per_s": round(most["acked"] / most["seconds"]),
        "most_us": round(most_us, 1),
        "most_p99_ms": most["p99_us"] / 1000,
        "idle_cpu": round(idle_cpu, 3),
        **stored,
    }
    lost = total["missing"] + total["skipped"] + total["unacked"]
    return figures, {
        "lost": lost,
        **{name: total[name] for name in _COUNTED},
    }


async def _stored(subject: _Subject) -> dict[str, float]:
    if subject.installation is None:
        return {}
    entries, size = await subject.installation.log_size()
    return {"stored_bytes": round(size / max(1, entries))}


class _Cpu:
    """What everybody has used since this was made."""

    def __init__(self, subject: _Subject) -> None:
        self._pids = subject.pids
        self._before = {role: cpu_s(pids) for role, pids in subject.pids.items()}

    def _used(self) -> dict[str, float]:
        return {role: cpu_s(pids) - self._before[role] for role, pids in self._pids.items()}

    def ours(self) -> float:
        """Seconds, of all processes of ours."""
        used = self._used()
        return sum(s for role, s in used.items() if role not in ("postgres", "redis"))

    def each_us(self, messages: int) -> dict[str, float]:
        """Of each message: `us` for ours together, then each role."""
        each = {role: s / max(1, messages) * 1e6 for role, s in self._used().items()}
        ours = sum(us for role, us in each.items() if role not in ("postgres", "redis"))
        roles = {} if "all" in each else each
        named = {f"{role}_us": round(us, 1) for role, us in roles.items()}
        return {"us": round(ours, 1), **named}
