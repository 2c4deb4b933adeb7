"""Ten thousand clients cut at once in the middle of conversations: all back, nothing lost.

9,900 visitors talk to 100 agents' connections (`native/talk.c`), 99 conversations each, 500
messages a second either way. First the generator aborts every socket with RST; then the server is
killed with SIGKILL and started again on the same port and data. Clients return as ours do: full
jitter from 0.2 s, doubled with every refusal up to 10 s, cursors in `hello`, everything unacked
again under the same number; they come from 250 addresses. `resumed_s` is the time from the cut
until the last client is welcome, holds everything said before its welcome, and has everything acked
that it had said before the cut; messages go on being said meanwhile. The floor: the bare C server
under the same cut, with nothing to catch up.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.gateway_cost import compiled, pin
from bench.native.generator import FIRST, Bare, Talk, bare_parties, parties
from bench.native.house import ONE_AGENT, House, opened
from bench.native.witness import is_in_order, lasts
from bench.run import Goal

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "resumed_s": Goal("<=", 15),
    "killed_resumed_s": Goal("<=", 15),
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
}

_CLIENTS: Final = (9_900, 100)
_QUICK: Final = (990, 10)
_PER_S: Final = 0.1
"""Messages a second for each client, both directions together: 1,000 for all of them."""
_PATIENCE_S: Final = 60
_SAMPLE: Final = 20
"""Conversations read back whole."""


def measure(quick: bool) -> Mapping[str, object]:
    """One server; the cut, then the kill."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), *(_QUICK if quick else _CLIENTS)))


async def _measure(folder: Path, visitors: int, agents: int) -> Mapping[str, object]:
    program = compiled(folder)
    # What limits handshakes stays as it comes: clients know how to wait.
    async with opened(folder / "data", ONE_AGENT) as house:
        people = folder / "parties"
        people.write_text(parties(house.signer, house.ticket, visitors, agents))
        pin(house.pid, 0)
        async with Talk(program, house.port, people) as talk:
            await talk.ask("prepare", _PATIENCE_S)
            talk.tell(f"pace {(visitors + agents) * _PER_S:g}")
            before = await talk.ask("measure", 3)
            cut = await talk.ask("cut", _PATIENCE_S)
            between = await talk.ask("measure", 3)
            killed = await _killed(house, talk)
            after = await talk.ask("measure", 3)
            totals = await talk.ask("drain", _PATIENCE_S)
        verdict = await _verdict(house.url, house.ticket, totals, visitors)
    return {
        **_storm("", cut),
        **_storm("killed_", killed),
        **verdict,
        "connections": visitors + agents,
        "ack_p99_ms": before["p99_us"] / 1000,
        "ack_p99_after_cut_ms": between["p99_us"] / 1000,
        "ack_p99_after_kill_ms": after["p99_us"] / 1000,
        **await _floor(program, folder, (visitors + agents) // 2),
    }


async def _killed(house: House, talk: Talk) -> dict[str, Any]:
    """As after a power cut: the same port and data, at once."""
    talk.tell(f"killed {_PATIENCE_S}")
    await asyncio.sleep(0.2)  # the generator waits for it now
    port = house.port
    house.server.kill()
    await house.server.stop()
    began = asyncio.get_running_loop().time()
    await house.server.start(port)
    started_s = asyncio.get_running_loop().time() - began
    pin(house.pid, 0)
    return await talk.answer(_PATIENCE_S) | {"started_s": round(started_s, 2)}


def _storm(prefix: str, storm: Mapping[str, Any]) -> dict[str, object]:
    is_whole = storm["returned"] == storm["clients"]
    # Whoever did not come back at all is counted with all the time there was, and some more.
    last_s = storm["last_us"] / 1e6 if is_whole else _PATIENCE_S + 1
    found: dict[str, object] = {
        f"{prefix}resumed_s": round(last_s, 2),
        f"{prefix}resumed_p50_s": round(storm["p50_us"] / 1e6, 2),
        f"{prefix}resumed_p99_s": round(storm["p99_us"] / 1e6, 2),
        f"{prefix}reconnects": storm["connects"],
        f"{prefix}handshakes_refused": storm["refusals"],
        f"{prefix}handshakes_per_s_peak": storm["welcomes_per_s_peak"],
    }
    if "started_s" in storm:
        found[f"{prefix}server_started_s"] = storm["started_s"]
    return found


async def _verdict(
    url: str, ticket: str, totals: Mapping[str, int], visitors: int
) -> dict[str, object]:
    """Both sides of each conversation against each other, and against the log."""
    numbers = range(FIRST, FIRST + visitors)
    in_log = sum((await lasts(url, ticket, numbers)).values())
    expected = totals["acked"] + visitors  # and that an agent has the conversation
    sample = numbers[:: max(1, visitors // _SAMPLE)]
    torn = [n for n in sample if not await is_in_order(url, ticket, n)]
    unsettled = totals["unacked"] + totals["uneven"] + len(torn)
    return {
        "lost": totals["missing"] + totals["skipped"] + max(0, expected - in_log) + unsettled,
        "repeated": totals["repeated"] + max(0, in_log - expected),
        "acked": totals["acked"],
        "sent_again": totals["repeats"],
        "entries_told_twice": totals["again"],
        "busy": totals["busy"],
        "shed": totals["shed"],
        "errors": totals["errors"],
        "dropped": totals["dropped"],
    }


async def _floor(program: Path, folder: Path, pairs: int) -> dict[str, object]:
    people = folder / "bare.parties"
    people.write_text(bare_parties(pairs))
    async with Bare(program) as port, Talk(program, port, people) as talk:
        await talk.ask("prepare", _PATIENCE_S)
        cut = await talk.ask("cut", _PATIENCE_S)
    return {
        "c_resumed_s": round(cut["last_us"] / 1e6, 2),
        "c_handshakes_per_s_peak": cut["welcomes_per_s_peak"],
    }
