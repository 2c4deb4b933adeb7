"""What a person sees of `qingniao replay`: a progress bar, then a table or JSON."""

import argparse
import asyncio
import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from qingniao.replay.command import Options, Progress, as_json, replay
from qingniao.replay.report import Report

__all__ = ["run"]


class _Bar(Progress):
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None)

    def phase(self, title: str, total: int) -> None:
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task(title, total=total)

    def advance(self, done: int) -> None:
        self._bars.update(self._task, completed=done)


def run(options: argparse.Namespace) -> int:
    """Run it; exit status 1 when anything was lost or repeated."""
    wanted = Options(
        path=options.path,
        visitors=options.visitors,
        agents=options.agents,
        url=options.url,
        login=options.login,
        password=options.password or os.environ.get("QINGNIAO_PASSWORD", ""),
        drops=options.drops,
    )
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=console) as bars:
        report = asyncio.run(replay(wanted, _Bar(bars)))
    if options.json:
        sys.stdout.write(as_json(report) + "\n")
    else:
        Console().print(_table(report))
        for problem in report.problems:
            console.print(problem)
    return 1 if report.lost or report.repeated else 0


def _table(report: Report) -> Table:
    table = Table("", "", show_header=False)
    for label, value in (
        ("visitors", report.visitors),
        ("sent", report.sent),
        ("acked", report.acked),
        ("sent again after a break", report.resent),
        ("reconnects", report.reconnects),
        ("answered by the bot", report.answered_by_bot),
        ("answered by people", report.answered_by_people),
        ("handed over", report.handed_over),
        ("without an answer in time", report.unanswered),
        ("lost (must be 0)", report.lost),
        ("repeated (must be 0)", report.repeated),
        ("first answer p50", f"{report.first_answer_p50_ms} ms"),
        ("first answer p99", f"{report.first_answer_p99_ms} ms"),
        ("took", f"{report.took_s} s"),
    ):
        table.add_row(label, str(value))
    return table
