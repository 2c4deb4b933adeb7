"""Faults under load: nothing acked is lost, nothing repeated, and how long nobody was served.

Every scenario of `qingniao/testing`, at full size, each with the history checker: SIGKILL, SIGSTOP
of the server and of a client, half-open connections, a network that cuts, delays, slices and holds,
fsync errors, a sync that hangs, writes that find no room (all by `strace`), a full disk (a small
tmpfs, as root), SIGTERM with a disk that works and with one that hangs. What the machine does not
permit is counted in `skipped`. Quick: small sizes, two scenarios at a time.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.run import Goal
from qingniao.errors import StartError
from qingniao.testing.disks import DiskSize, fill_the_disk, fsync_fails, small_disk
from qingniao.testing.drains import DrainSize, drain_on_a_hung_disk, drain_under_load
from qingniao.testing.hangs import HangSize, hang_the_disk
from qingniao.testing.holes import HoleSize, vanish
from qingniao.testing.injection import can_inject
from qingniao.testing.kills import KillSize, kill_under_load
from qingniao.testing.load import Outcome
from qingniao.testing.servers import Servers, Start, furnish
from qingniao.testing.stops import StopSize, stop_a_client, stop_the_server
from qingniao.testing.weather import WeatherSize, bad_weather

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "violations": Goal("<=", 0),
    "kills_missing": Goal("<=", 0),
    "skipped": Goal("<=", 0),
}

_SHOWN: Final = 20


class _Sizes(Struct, frozen=True, kw_only=True):
    kill: KillSize = KillSize(kills=100)
    stop: StopSize = StopSize(stopped_s=30.0)
    stop_noticed: StopSize = StopSize(stopped_s=30.0, beat_ms=2_000)
    client: StopSize = StopSize(stopped_s=30.0, beat_ms=2_000)
    holes: HoleSize = HoleSize(clients=100, beat_ms=2_000)
    weather: WeatherSize = WeatherSize(rounds=60, round_s=1.0)
    sync: DiskSize = DiskSize(rounds=18)
    full: DiskSize = DiskSize(rounds=6)
    drain: DrainSize = DrainSize(rounds=10, idle=200, drain_ms=5_000)
    hang: HangSize = HangSize(hung_s=20.0)
    hung: DrainSize = DrainSize(drain_ms=5_000)


_FULL: Final = _Sizes()
_QUICK: Final = _Sizes(
    kill=KillSize(kills=5),
    stop=StopSize(stopped_s=1.0),
    stop_noticed=StopSize(stopped_s=3.0, beat_ms=1_000),
    client=StopSize(stopped_s=4.5, beat_ms=1_000),
    holes=HoleSize(clients=2, beat_ms=1_000),
    weather=WeatherSize(rounds=4, round_s=0.5),
    sync=DiskSize(rounds=1),
    full=DiskSize(rounds=1),
    drain=DrainSize(rounds=1, idle=20),
    hang=HangSize(hung_s=2.0),
    hung=DrainSize(drain_ms=1_000),
)


def measure(quick: bool) -> Mapping[str, object]:
    """One scenario after the other; violations are printed as sentences on standard error."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), _QUICK if quick else _FULL, 2 if quick else 1))


async def _measure(folder: Path, sizes: _Sizes, lanes: int) -> Mapping[str, object]:
    furnished = await furnish(folder / "furnished")
    traces = can_inject()

    async def fill(start: Start) -> Outcome:
        async with small_disk(folder / "disk") as disk:
            return await fill_the_disk(start, disk, sizes.full)

    scenarios: dict[str, tuple[bool, Callable[[Start], Awaitable[Outcome]]]] = {
        "kill": (True, lambda start: kill_under_load(start, sizes.kill)),
        "stop": (True, lambda start: stop_the_server(start, sizes.stop)),
        "stop_noticed": (True, lambda start: stop_the_server(start, sizes.stop_noticed)),
        "stop_client": (True, lambda start: stop_a_client(start, sizes.client)),
        "holes": (True, lambda start: vanish(start, sizes.holes)),
        "weather": (True, lambda start: bad_weather(start, sizes.weather)),
        "fsync": (traces, lambda start: fsync_fails(start, sizes.sync)),
        "hang": (traces, lambda start: hang_the_disk(start, sizes.hang)),
        "full_disk": (True, fill),
        "drain": (True, lambda start: drain_under_load(start, sizes.drain)),
        "drain_hung": (traces, lambda start: drain_on_a_hung_disk(start, sizes.hung)),
    }
    came: dict[str, Outcome] = {}
    skipped: list[str] = []
    room = asyncio.Semaphore(lanes)

    async def run(name: str, scenario: Callable[[Start], Awaitable[Outcome]]) -> None:
        async with room, Servers(folder / name, furnished) as servers:
            try:
                came[name] = await scenario(servers.start)
            except StartError as exc:
                if "Mounting" not in str(exc):
                    raise
                skipped.append(name)
            else:
                _say(name, came[name])

    async with asyncio.TaskGroup() as tasks:
        for name, (is_possible, scenario) in scenarios.items():
            if is_possible:
                tasks.create_task(run(name, scenario))
            else:
                skipped.append(name)
    return _results(sizes, came, skipped)


def _say(name: str, outcome: Outcome) -> None:
    lines = [f"{name}: {outcome}", *outcome.violations[:_SHOWN]]
    print("\n  ".join(lines), file=sys.stderr, flush=True)


def _results(sizes: _Sizes, came: dict[str, Outcome], skipped: list[str]) -> dict[str, object]:
    def figure(scenario: str, name: str) -> float:
        return came[scenario].figures[name] if scenario in came else 0

    kills = figure("kill", "kills")
    return {
        "violations": sum(len(outcome.violations) for outcome in came.values()),
        "acked": sum(outcome.acked for outcome in came.values()),
        "entries": sum(outcome.entries for outcome in came.values()),
        "connections": sum(outcome.connections for outcome in came.values()),
        "kills": kills,
        "kills_missing": sizes.kill.kills - kills,
        "start_after_kill_median_s": figure("kill", "start_median_s"),
        "start_after_kill_slowest_s": figure("kill", "start_slowest_s"),
        "stopped_s": figure("stop", "stopped_s"),
        "vanished": figure("holes", "vanished"),
        "vanished_offline_s": figure("holes", "offline_s"),
        "vanished_promised_s": figure("holes", "promised_s"),
        "network_cuts": figure("weather", "cuts"),
        "network_holes": figure("weather", "holes"),
        "fsync_errors": figure("fsync", "rounds"),
        "sync_hung_s": figure("hang", "hung_s"),
        "hung_slowest_answer_s": figure("hang", "slowest_answer_s"),
        "disk_full_rounds": figure("full_disk", "rounds"),
        "drains": figure("drain", "rounds"),
        "drain_slowest_s": figure("drain", "slowest_exit_s"),
        "drain_hung_s": figure("drain_hung", "exit_s"),
        "worst_silence_s": max((outcome.silence_s for outcome in came.values()), default=0.0),
        "skipped": len(skipped),
    }
