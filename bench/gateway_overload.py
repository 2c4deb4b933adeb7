"""Three times what the server can take, offered by correct clients, then back to normal.

500 visitors and their agents (`native/talk.c`). First a closed loop, whose messages come in bursts
of eight and cost least (`closed_per_s`); then paced loads about as high, each message sent when it
is due: the most that any of them gets is `peak_per_s`. Then a calm load of 0.3 × the closed loop,
for a minute 3 × that whatever is acked, the calm load again, then silence until everything is acked
and heard.

`goodput_percent` compares what is acked under overload with the peak, which is the same kind of
load; it may be above 100, for the peak is of steps of five seconds, their beginnings included.
`goodput_percent_of_closed` compares it with the closed loop, and has no goal: bursts are cheaper
than anything paced. What is offered is three times the larger of the two, the closed loop.

A client keeps at most `credit` unacked and a few waiting; what does not fit is `shed` before it has
a number. Latencies count from when a message was due, waiting at the client included. Twice: with
the settings as they come, and with an intake an eighth as long (`tiny_…`). The server has one core,
the generator the other. Beside it the C server under the same offered load.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.gateway_cost import compiled, pin
from bench.native.generator import FIRST, Bare, Talk, bare_parties, parties
from bench.native.house import ANY_RATE, ONE_AGENT, opened
from bench.native.witness import Memory, counter, is_in_order, lasts, rss_bytes
from bench.run import Goal

__all__ = ["GOALS", "Phases", "measure", "recovered_s"]

GOALS: Final = {
    "goodput_percent": Goal(">=", 90),
    "rss_growth_mb": Goal("<=", 64),
    "recovery_s": Goal("<=", 2),
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
}

_TINY: Final = {"QINGNIAO_PIPELINE_WAITING": "1024"}
_PAIRS: Final = 500
_WINDOW: Final = 8
"""Unacked a side at the peak: all of them together stay below the intake's bound of 8,192."""
_BACKLOG: Final = 40
"""Unacked and waiting a side: the credit of 32, and eight that were typed meanwhile."""
_STEPS: Final = (0.7, 0.85, 1.0, 1.15)
"""Paced loads among which the peak is looked for, in closed loops."""
_OVER: Final = 3.0
_CALM: Final = 0.3
_NORMAL_US: Final = 50_000
"""A window is normal with a p99 of twice the calm one, or of this."""
_STEADY: Final = 5
"""Normal windows in a row that count as recovered; the first of them says when."""
_WINDOW_S: Final = 0.1
_SAMPLE: Final = 10
"""Conversations read back whole, one page after the other."""


class Phases:
    """Seconds of each part."""

    def __init__(self, quick: bool) -> None:
        self.step = 1 if quick else 5
        self.peak, self.calm, self.over, self.after = (2, 2, 6, 4) if quick else (10, 5, 60, 10)
        self.tiny_over = 3 if quick else 20
        self.drain = 20


def measure(quick: bool) -> Mapping[str, object]:
    """One run of each: it is long, and the peak that it is compared with is its own."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), Phases(quick)))


async def _measure(folder: Path, phases: Phases) -> Mapping[str, object]:
    program = compiled(folder)
    usual = await _overload(program, folder / "usual", {}, phases, phases.over)
    tiny = await _overload(program, folder / "tiny", _TINY, phases, phases.tiny_over)
    named = ("goodput_percent", "recovery_s", "rss_growth_mb", "busy", "lost", "repeated")
    floor = await _floor(program, folder, phases, usual["offered_per_s"])
    return {**usual, **{f"tiny_{name}": tiny[name] for name in named}, **floor}


async def _overload(
    program: Path, data: Path, settings: dict[str, str], phases: Phases, over_s: float
) -> dict[str, Any]:
    async with opened(data, ONE_AGENT | ANY_RATE | settings) as house:
        people = data.with_suffix(".parties")
        people.write_text(parties(house.signer, house.ticket, _PAIRS, _PAIRS))
        pin(house.pid, 0)
        async with Talk(program, house.port, people) as talk:
            await talk.ask("prepare", 60)
            await asyncio.sleep(1)  # the assignment's and the list's share of the beginning
            figures = await _phases(talk, house.pid, phases, over_s)
            committed = await counter(house.url, "pipeline_committed_total")
            totals = await talk.ask("drain", phases.drain)
        return figures | await _verdict(house.url, house.ticket, totals, committed)


async def _phases(talk: Talk, pid: int, phases: Phases, over_s: float) -> dict[str, Any]:
    talk.tell(f"backlog {_BACKLOG}")
    closed = await talk.ask(f"closed {_WINDOW}", phases.peak)
    closed_per_s = closed["acked"] / closed["seconds"]
    steps = []
    for step in _STEPS:
        talk.tell(f"pace {closed_per_s * step:.0f}")
        steps.append(await talk.ask("measure", phases.step))
    peak_per_s = max(found["acked"] / found["seconds"] for found in steps)
    before = rss_bytes(pid)
    talk.tell(f"pace {closed_per_s * _CALM:.0f}")
    await talk.ask("measure", 1)  # what the last step left waiting
    calm = await talk.ask("measure", phases.calm)
    async with Memory(pid) as memory:
        talk.tell(f"pace {closed_per_s * _OVER:.0f}")
        over = await talk.ask("measure", over_s)
        talk.tell(f"pace {closed_per_s * _CALM:.0f}")
        after = await talk.ask("measure", phases.after)
    goodput = over["acked"] / over["seconds"]
    return {
        "closed_per_s": round(closed_per_s),
        "peak_per_s": round(peak_per_s),
        "offered_per_s": round(over["offered"] / over["seconds"]),
        "goodput_per_s": round(goodput),
        "goodput_percent": round(goodput / peak_per_s * 100, 1),
        "goodput_percent_of_closed": round(goodput / closed_per_s * 100, 1),
        "rss_growth_mb": round((memory.highest_bytes - before) / 1e6, 1),
        "recovery_s": recovered_s(after["windows"], calm["p99_us"]),
        "busy": over["busy"],
        "shed": over["shed"],
        "sent_again": over["repeats"],
        "closed_ack_p99_ms": closed["p99_us"] / 1000,
        "calm_ack_p99_ms": calm["p99_us"] / 1000,
        "over_ack_p50_ms": over["p50_us"] / 1000,
        "over_ack_p99_ms": over["p99_us"] / 1000,
        "after_ack_p99_ms": after["p99_us"] / 1000,
        "seconds": round(over_s),
    }


def recovered_s(windows: Sequence[Sequence[int]], calm_p99_us: int) -> float:
    """Until the p99 of 100 ms is normal and stays so for half a second; the whole time, and half a
    second more, when it never is. `windows` are (acks, p99 in µs) from the end of the overload."""
    bound = max(2 * calm_p99_us, _NORMAL_US)
    for number in range(len(windows) - _STEADY + 1):
        if all(acks and p99 <= bound for acks, p99 in windows[number : number + _STEADY]):
            return round((number + 1) * _WINDOW_S, 1)
    return round((len(windows) + _STEADY) * _WINDOW_S, 1)


async def _verdict(
    url: str, ticket: str, totals: Mapping[str, int], committed: float
) -> dict[str, Any]:
    """What the two sides of each conversation have, against each other and against the log."""
    numbers = range(FIRST, FIRST + _PAIRS)
    in_log = sum((await lasts(url, ticket, numbers)).values())
    # Everything acked is an entry, and so is that an agent has the conversation.
    expected = totals["acked"] + _PAIRS
    sample = numbers[:: max(1, _PAIRS // _SAMPLE)]
    torn = [n for n in sample if not await is_in_order(url, ticket, n)]
    unsettled = totals["unacked"] + totals["uneven"] + len(torn)
    return {
        "lost": totals["missing"] + totals["skipped"] + max(0, expected - in_log) + unsettled,
        "repeated": totals["repeated"] + max(0, in_log - expected),
        "acked": totals["acked"],
        "committed_or_repeated": round(committed),
        "errors": totals["errors"],
        "dropped": totals["dropped"],
    }


async def _floor(
    program: Path, folder: Path, phases: Phases, offered_per_s: float
) -> dict[str, object]:
    """The same against a server that neither stores nor checks."""
    people = folder / "bare.parties"
    people.write_text(bare_parties(_PAIRS))
    async with Bare(program) as port, Talk(program, port, people) as talk:
        await talk.ask("prepare", 30)
        talk.tell(f"backlog {_BACKLOG}")
        peak = await talk.ask(f"closed {_WINDOW}", phases.peak)
        talk.tell(f"pace {offered_per_s:.0f}")
        over = await talk.ask("measure", phases.peak)
    return {
        "c_peak_per_s": round(peak["acked"] / peak["seconds"]),
        "c_goodput_per_s": round(over["acked"] / over["seconds"]),
        "c_shed": over["shed"],
    }
