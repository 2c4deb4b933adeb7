"""What a person sees of `qingniao load`: a line a second while it runs, then a table or JSON."""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from qingniao.errors import ConfigError
from qingniao.load.command import Progress, load, prepared
from qingniao.load.meter import Tally
from qingniao.load.plan import Plan
from qingniao.load.process import Word
from qingniao.load.report import Report, table
from qingniao.load.target import Asked, Minted, Target, answering, own_server

__all__ = ["run"]

_EVERY_S: Final = 1.0


def run(options: argparse.Namespace) -> int:
    """Run it; exit status 1 when anything was lost, repeated or dropped."""
    wanted = Plan(
        connections=options.connections,
        agents=options.agents,
        slow=options.slow,
        rate=options.rate,
        duration_s=options.duration,
        ramp_s=options.ramp,
        processes=options.processes,
        shape=options.shape,
        answers=options.answers,
        text_bytes=options.text_bytes,
        typing=options.typing,
        sources=tuple(part.strip() for part in options.source.split(",") if part.strip()),
    )
    password = options.password or os.environ.get("QINGNIAO_PASSWORD", "")
    has_agents = bool(password) or not options.url
    plan = prepared(wanted, has_agents=has_agents, own_server=not options.url)
    report = asyncio.run(_run(plan, options, password))
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        sys.stdout.write(table(report) + "\n")
    return 0 if report.is_clean else 1


async def _run(plan: Plan, options: argparse.Namespace, password: str) -> Report:
    lines = _Lines()
    if not options.url:
        lines.phase("a server of its own starts")
    async with _target(options, password) as target:
        return await load(plan, target, lines)


@contextlib.asynccontextmanager
async def _target(options: argparse.Namespace, password: str) -> AsyncIterator[Target]:
    if not options.url:
        if options.data:
            raise ConfigError("--data belongs to the server of --url: give that as well.")
        async with own_server() as own:
            yield own
        return
    if not options.url.startswith(("http://", "https://")):
        raise ConfigError(f"--url must begin with http:// or https://, got {options.url}.")
    await answering(options.url)
    if options.data:
        yield Minted(options.url, options.data, options.login, password)
    else:
        yield Asked(options.url, options.login, password)


class _Lines(Progress):
    """A line for each phase, and one a second with what happened in it."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._recent = Tally()
        self._open: dict[int, int] = {}

    def phase(self, title: str) -> None:
        self._write(title)

    def visitors(self, count: int, of: int) -> None:
        if time.monotonic() - self._said >= _EVERY_S:
            self._write(f"{count:,} of {of:,}; the server decides how fast")

    def counted(self, process: int, word: Word) -> None:
        self._recent.merge(word.tally)
        self._open[process] = word.open
        passed_s = time.monotonic() - self._said
        if passed_s < _EVERY_S * 0.9:
            return
        recent = self._recent.take()
        asks, answers = recent.asks, recent.answers
        parts = [f"{sum(self._open.values()):,} open"]
        if asks.sent or asks.acked or asks.unsent:
            parts += [
                f"{asks.sent / passed_s:,.0f} sent/s",
                f"{asks.acked / passed_s:,.0f} acked/s",
                f"{asks.delivered / passed_s:,.0f} delivered/s",
                f"ack p99 {asks.ack.at(0.99) / 1000:.1f} ms",
            ]
        parts += [
            f"{value:,} {name}"
            for name, value in (
                ("answered", answers.sent),
                ("busy", asks.busy + answers.busy),
                ("unsent", asks.unsent),
                ("failed", recent.failed),
                ("dropped", sum(recent.dropped.values())),
            )
            if value
        ]
        self._write("  ".join(parts))

    def _write(self, text: str) -> None:
        self._said = time.monotonic()
        sys.stderr.write(f"{self._said - self._began:6.1f} s  {text}\n")
        sys.stderr.flush()
