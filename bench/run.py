"""`python -m bench.run NAME`: one bench, a table for people, one JSON line for machines.

`QUICK=1` is a short look, `RUNS=3` the median of three, `KEEP=1` writes to `bench/results`.

A bench is a module of this package with a docstring, `GOALS` and `measure(quick)`. Rule: figures
are medians, what must not happen is counted in the worst run, the machine is part of the result,
and the last line printed is the JSON.
"""

import importlib
import json
import os
import pkgutil
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol, cast

from msgspec import Struct

import bench

__all__ = [
    "Bench",
    "Goal",
    "keep",
    "load",
    "machine",
    "main",
    "median",
    "middle",
    "names",
    "report",
]

_NOT_BENCHES: Final = frozenset({"run"})


class Goal(Struct, frozen=True):
    """What a metric should be."""

    sign: Literal["<=", ">="]
    value: float

    def is_met(self, got: float) -> bool:
        """Does a figure reach it?"""
        return got <= self.value if self.sign == "<=" else got >= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


class Bench(Protocol):
    """What a module of this package offers."""

    GOALS: Mapping[str, Goal]
    measure: Callable[[bool], Mapping[str, object]]
    """Metric → figure. True: quick, fewer runs."""


def names() -> list[str]:
    """Every bench, as it is called on the command line."""
    modules = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(m.replace("_", "-") for m in modules if m not in _NOT_BENCHES)


def load(name: str) -> Bench | None:
    """The bench of that name."""
    if name not in names():
        return None
    return cast("Bench", importlib.import_module(f"bench.{name.replace('-', '_')}"))


def median(runs: Sequence[float]) -> float:
    """The middle one, to four digits: a rate does not care for more, nor does a reader."""
    return float(f"{statistics.median(runs):.4g}")


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        lines = facts.read_text("utf-8").splitlines()
        found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = found[0] if found else model
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "cpu": model,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def report(name: str, found: Bench, results: Mapping[str, object]) -> list[str]:
    """The table and, as the last line, the JSON."""
    goals: dict[str, dict[str, object]] = {}
    for metric, goal in found.GOALS.items():
        got = results[metric]
        if not isinstance(got, int | float):
            raise TypeError(f"{metric} has a goal and must be a figure, not {got!r}.")
        goals[metric] = {"want": str(goal), "got": got, "met": goal.is_met(got)}
    width = max(map(len, results))
    lines = [(found.__doc__ or name).strip().splitlines()[0]]
    for metric, value in results.items():
        wanted = goals.get(metric)
        verdict = (
            "" if wanted is None else f"  {'met' if wanted['met'] else 'MISSED'}: {wanted['want']}"
        )
        lines.append(f"  {metric:<{width}}  {value!s:>12}{verdict}")
    lines.append(json.dumps({"bench": name, "results": dict(results), "goals": goals}))
    return lines


def middle(runs: Sequence[Mapping[str, object]], goals: Mapping[str, Goal]) -> dict[str, object]:
    """Each figure's median over several runs, or the worst where none at all is the goal: a message
    that one run in three lost is lost. What is no figure is as in the last run."""
    figures = dict(runs[-1])
    for metric, last in runs[-1].items():
        if len(runs) > 1 and type(last) in (int, float):
            values = [v for run in runs if isinstance(v := run[metric], int | float)]
            is_none_wanted = goals.get(metric) == Goal("<=", 0)
            figures[metric] = max(values) if is_none_wanted else statistics.median(values)
    return figures


def keep(name: str, line: str, runs: int) -> Path:
    """Write the JSON with the commit, the day and how many runs to `bench/results`."""
    described = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    found = json.loads(line) | {
        "runs": runs,
        "commit": described.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return path


def main(arguments: Sequence[str]) -> int:
    """Run one bench. Exit status 2 when there is none of that name."""
    name = arguments[0] if len(arguments) == 1 else ""
    found = load(name)
    if found is None:
        print(f"Which bench? make bench NAME={'|'.join(names())} [QUICK=1]", file=sys.stderr)
        return 2
    quick = os.environ.get("QUICK", "") not in ("", "0")
    runs = max(1, int(os.environ.get("RUNS", "1")))
    results = {**middle([found.measure(quick) for _ in range(runs)], found.GOALS), **machine()}
    lines = report(name, found, results)
    print("\n".join(lines), flush=True)
    if os.environ.get("KEEP", "") not in ("", "0"):
        keep(name, lines[-1], runs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
