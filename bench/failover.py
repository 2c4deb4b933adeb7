"""Every drill of a cluster under load: nothing lost, repeated or given twice, and how long no word.

Two gateways, one api process, two workers each for the bot and for assignment, one each for
analytics and delivery, behind HAProxy, on PostgreSQL (fsync on) and Redis; six visitors with the
bot or with people, those people, and newcomers who ask for a person all the time. One drill after
the other: SIGKILL of each kind of process; Redis and PostgreSQL killed, restarted, gone or standing
still for 30 s; every way between two kinds of process slow, cut or deaf for 20 s; processes frozen
for 60 s; clocks five minutes apart; the primaries of a Redis Cluster, and all of it. The history
checker compares what everybody was told with the log. Silences are of the one person who was worst
off, from their last ack (words of the other side) to the next; `unheard` is without any word at
all on an open connection. Quick: five drills, shortened.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from bench.run import Goal
from qingniao.testing.drills.clocks import find_faketime
from qingniao.testing.drills.kinds import Drill, Lengths
from qingniao.testing.drills.runner import Scale, run
from qingniao.testing.drills.table import DRILLS, QUICK
from qingniao.testing.drills.verdict import Verdict

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
    "given_twice": Goal("<=", 0),
    "violations": Goal("<=", 0),
    "skipped": Goal("<=", 0),
}

_FULL: Final = Scale(lengths=Lengths(gone_s=30.0, way_s=20.0, frozen_s=60.0))
_QUICK: Final = Scale(
    lengths=Lengths(gone_s=2.0, way_s=1.5), settings={"QINGNIAO_BUS_CLAIM_MS": "3000"}
)
_SHOWN: Final = 20


def measure(quick: bool) -> Mapping[str, object]:
    """Violations are printed as sentences on standard error, the table on standard output."""
    drills, scale = (QUICK, _QUICK) if quick else (DRILLS, _FULL)
    drills = [drill for drill in drills if drill.name != "clocks-apart" or find_faketime()]
    verdicts = asyncio.run(run(drills, scale, _say))
    print(_table(verdicts))
    return _results(drills, verdicts, skipped=0 if quick else len(DRILLS) - len(drills))


def _say(verdict: Verdict) -> None:
    lines = [str(verdict), *verdict.violations[:_SHOWN], *verdict.logs.splitlines()]
    print("\n  ".join(lines), file=sys.stderr, flush=True)


_HEAD: Final = (
    "drill", "lost", "repeated", "twice", "ack s", "delivery s", "answer s", "unheard s", "queue s",
)  # fmt: skip


def _table(verdicts: Sequence[Verdict]) -> str:
    """For people: a row for each drill, the worst silences in seconds."""
    rows = [
        (v.name, v.lost, v.repeated, v.given_twice, v.ack_s, v.delivery_s, v.answer_s, v.unheard_s,
         v.queue_s)
        for v in verdicts
    ]  # fmt: skip
    return "\n".join(_row(row) for row in (_HEAD, *rows))


def _row(cells: Sequence[object]) -> str:
    name, *figures = map(str, cells)
    return f"| {name:<24} | {' | '.join(f'{figure:>10}' for figure in figures)} |"


def _results(
    drills: Sequence[Drill], verdicts: Sequence[Verdict], skipped: int
) -> Mapping[str, object]:
    by_name = {verdict.name: verdict for verdict in verdicts}
    ordered = [by_name[drill.name] for drill in drills]
    figures: dict[str, object] = {
        "drills": len(ordered),
        "skipped": skipped,
        "acked": sum(verdict.acked for verdict in ordered),
        "assigned": sum(verdict.assigned for verdict in ordered),
        "lost": sum(verdict.lost for verdict in ordered),
        "repeated": sum(verdict.repeated for verdict in ordered),
        "given_twice": sum(verdict.given_twice for verdict in ordered),
        "violations": sum(len(verdict.violations) for verdict in ordered),
    }
    for verdict in ordered:
        figures[f"{verdict.name}_ack_s"] = verdict.ack_s
        figures[f"{verdict.name}_delivery_s"] = verdict.delivery_s
        figures[f"{verdict.name}_answer_s"] = verdict.answer_s
        figures[f"{verdict.name}_unheard_s"] = verdict.unheard_s
        figures[f"{verdict.name}_queue_s"] = verdict.queue_s
    return figures
