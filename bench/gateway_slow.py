"""Readers that stop reading: what the others notice of 1,000 among 10,000, and what they cost.

9,000 connections chat all the time (visitor to agent, `qingniao load`). Beside them a few loud
visitors write long messages; in every second segment 1,000 more connections follow these and read
nothing, until the server closes each with 3008. `ratio` is the median of the pairs' quotients of
the chatting ones' p99 with and without them. `rss_over_bound` is how much more
the server's memory grew in a segment with them than in one without, over what their outboxes may
hold together. The server has core 0, the load core 1.
"""

import asyncio
import os
import re
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.gateway_cost import apart, pin
from bench.run import Goal, median
from qingniao.errors import StartError
from qingniao.load.command import Progress, load, prepared
from qingniao.load.meter import Tally
from qingniao.load.plan import Plan
from qingniao.load.process import Word
from qingniao.load.report import Report
from qingniao.load.target import SETTINGS, Minted
from qingniao.replay.house import OwnServer

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "ratio": Goal("<=", 1.5),
    "lost": Goal("<=", 0),
    "dropped": Goal("<=", 0),
    "still_open": Goal("<=", 0),
    "rss_over_bound": Goal("<=", 1.5),
}

_OUTBOX_BYTES: Final = 131_072
"""An eighth of the default: a reader is closed sooner, and the run is shorter."""
_LOUD: Final = 20
"""Visitors whose conversations the slow ones follow, one each."""
_LOUD_BYTES: Final = 11_000
"""Long messages: what their fan-out costs is not what is to be measured."""
_RATE: Final = 1_000.0
_MOST_S: Final = 600.0


def measure(quick: bool) -> Mapping[str, object]:
    """Pairs of segments, first without the slow readers, then with them."""
    with apart() as core, tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), quick, core))


async def _measure(folder: Path, quick: bool, core: int) -> Mapping[str, object]:
    fast, slow = (900, 100) if quick else (9_000, 1_000)
    pairs, seconds, loud_rate = (2, 6.0, 120.0) if quick else (3, 12.0, 60.0)
    settings = SETTINGS | {"QINGNIAO_GATEWAY_OUTBOX_BYTES": str(_OUTBOX_BYTES)}
    async with OwnServer(settings, folder / "data") as server:
        if server.process is None:
            raise StartError("The server did not start.")
        pid = server.process.pid
        pin(pid, core)
        target = Minted(server.url, folder / "data", "admin", server.password, own=True)
        chatting = _Chatting()
        talk = asyncio.create_task(_chat(target, chatting, fast))
        loud: list[tuple[_Loud, Report]] = []
        try:
            async with asyncio.timeout(_MOST_S):
                await chatting.is_running.wait()
            for number in range(pairs * 2):
                one = _Loud(pid, seconds)
                plan = _loud_plan(slow if number % 2 else 0, loud_rate, seconds)
                loud.append((one, await load(plan, target, one)))
        finally:
            chatting.is_enough.set()
        closed = await asyncio.to_thread(_metric, server.url, "qingniao_slow_closed_total")
        dropped_whispers = await asyncio.to_thread(
            _metric, server.url, "qingniao_whispers_dropped_total"
        )
        report = await talk
    p99s = [chatting.p99_ms(one.window) for one, _ in loud]
    ratios = [p99s[number + 1] / p99s[number] for number in range(0, len(p99s), 2)]
    bound_mb = slow * _OUTBOX_BYTES / 1e6
    growth = [one.growth_bytes / 1e6 for one, _ in loud]
    return {
        "fast_p99_without_ms": median(p99s[0::2]),
        "fast_p99_with_ms": median(p99s[1::2]),
        "ratio": median(ratios),
        "each_p99_ms": " ".join(f"{p99:.1f}" for p99 in p99s),
        "rss_over_bound": round(max(0.0, max(growth[1::2]) - max(growth[0::2])) / bound_mb, 2),
        "rss_growth_mb": round(max(growth[1::2]), 1),
        "rss_growth_without_mb": round(max(growth[0::2]), 1),
        "bound_mb": round(bound_mb, 1),
        "outbox_bytes": _OUTBOX_BYTES,
        "slow": slow,
        "slow_closed": round(closed / pairs),
        "still_open": slow * pairs - int(closed),
        "whispers_dropped": int(dropped_whispers),
        "lost": report.asks.lost + report.asks.repeated + sum(r.asks.lost for _, r in loud),
        "dropped": sum(report.dropped.values()) + sum(sum(r.dropped.values()) for _, r in loud),
        "fast": report.connected,
        "messages_per_s": _RATE + loud_rate,
        "load_cpu": max(report.cpu),
        "load_late_p99_ms": report.late.p99_ms,
        "pairs": pairs,
        "seconds": seconds,
    }


async def _chat(target: Minted, chatting: "_Chatting", fast: int) -> Report:
    plan = Plan(connections=fast, agents=fast // 90, rate=_RATE, answers=0.0, duration_s=_MOST_S)
    plan = prepared(plan, has_agents=True, own_server=True)
    return await load(plan, target, chatting, chatting.is_enough)


def _loud_plan(slow: int, rate: float, seconds: float) -> Plan:
    plan = Plan(
        connections=_LOUD + 2 + slow, agents=2, slow=slow, slow_follows=1, rate=rate,
        answers=0.0, duration_s=seconds, text_bytes=_LOUD_BYTES, typing=True, processes=1,
        ramp_s=1.0,
    )  # fmt: skip
    return prepared(plan, has_agents=True, own_server=True)


class _Chatting(Progress):
    """What was counted of the ones who read, second by second."""

    def __init__(self) -> None:
        self.is_running = asyncio.Event()
        self.is_enough = asyncio.Event()
        self._seconds: list[tuple[int, int, Tally]] = []
        self._since_us = 0

    def started(self, start_us: int) -> None:
        """See `Progress`."""
        self.is_running.set()

    def counted(self, process: int, word: Word) -> None:
        """See `Progress`."""
        self._seconds.append((self._since_us, word.at_us, word.tally))
        self._since_us = word.at_us

    def p99_ms(self, window: tuple[int, int]) -> float:
        """Of the deliveries within a span of monotonic time."""
        total = Tally()
        for since_us, at_us, tally in self._seconds:
            if window[0] <= since_us and at_us <= window[1]:
                total.merge(tally)
        return max(total.asks.delivery.at(0.99), 1) / 1000


class _Loud(Progress):
    """When the loud ones talked, and what the server's memory did meanwhile."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._seconds = seconds
        self._before = 0
        self.growth_bytes = 0
        self.window = (0, 0)

    def started(self, start_us: int) -> None:
        """See `Progress`."""
        self._before = self._rss()
        self.window = (start_us, start_us + round(self._seconds * 1e6))

    def counted(self, process: int, word: Word) -> None:
        """See `Progress`."""
        if self._before:
            self.growth_bytes = max(self.growth_bytes, self._rss() - self._before)

    def _rss(self) -> int:
        pages = int(self._statm.read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def _metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310
        found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)
    if found is None:
        raise StartError(f"The server has no metric {name}.")
    return float(found[1])
