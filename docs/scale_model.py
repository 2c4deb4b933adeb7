"""What an installation of a given size takes: `python -m docs.scale_model --connections 1000000`.

Owns the model and the tables of `docs/topics/scale.md`; measures nothing. Rule: every line says
what it rests on, and is only as good as the weakest of it.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from docs.scale_figures import ROOT, Basis, Figure, assumptions, gateway_us, measured
from qingniao.config import Config

__all__ = ["PAGE", "Line", "Plan", "model", "page", "table"]

PAGE: Final = ROOT / "docs/topics/scale.md"
_TEMPLATE: Final = ROOT / "docs/templates/scale.md"
_MONTH_DAYS: Final = 30
_BUSY: Final = 0.5
"""Of a core at the peak: what is more waits."""
_COMMITS_AND_LEASES: Final = 3
"""Connections of a process to PostgreSQL beside those that settings bound: one commits."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is asked."""

    connections: int
    """Open at the same time, at the busiest."""
    messages_a_day: float
    """Of everybody: visitors, bot, agents."""
    peak: float = 5.0
    """The busiest second beside the mean of the day."""

    @property
    def per_s(self) -> float:
        """Messages in the busiest second."""
        return self.messages_a_day / 86_400 * self.peak


class Line(Struct, frozen=True):
    """One line of the answer."""

    part: str
    what: str
    value: float
    unit: str
    basis: Basis = "extrapolated"


# The model.


def model(plan: Plan) -> list[Line]:
    """What it takes, with one machine of each kind to spare."""
    m = {name: figure.value for name, figure in measured().items()}
    a = {name: figure.value for name, figure in assumptions().items()}
    cores = int(a["cores"])

    gateways = max(2, math.ceil(plan.connections / a["each_gateway"]))
    busy = plan.connections * m["beat_us"] / 1e6
    busy += plan.per_s * gateway_us(gateways, m["gateway1_us"], m["gateway3_us"]) / 1e6
    gateways = max(gateways, math.ceil(busy / _BUSY))
    apis = max(2, math.ceil(plan.connections / a["api_for"]))
    answering = max(2, math.ceil(plan.per_s * a["answered"] * m["answer_ms"] / 1000 / _BUSY))
    workers = max(2, math.ceil(plan.per_s * m["workers_us"] / 1e6 / _BUSY))
    processes = gateways + apis + answering + workers
    machines = math.ceil(processes / cores) + 1
    each_mb = m["gateway_mb"] + plan.connections / gateways * m["bytes_each"] / 1e6
    ours_mb = (
        gateways * each_mb + apis * m["api_mb"] + answering * m["ai_mb"] + workers * m["workers_mb"]
    )

    haproxies = max(2, math.ceil(plan.connections / a["each_haproxy"]) + 1)
    shards = max(1, math.ceil(plan.per_s * m["redis_us"] / 1e6 / _BUSY))
    if shards > 1:
        shards = max(3, math.ceil(plan.per_s * m["cluster_us"] / 1e6 / _BUSY / 2))
    redis_mb = m["redis_mb"] * plan.connections / 50_000
    redis_machines = max(2, math.ceil(2 * shards / cores))

    month_gb = plan.messages_a_day * _MONTH_DAYS * m["stored_bytes"] / 1e9
    stored_gb = month_gb * a["retention"] * a["overhead"]
    config = Config()
    links = processes * (_COMMITS_AND_LEASES + config.storage.readers + config.database.pool)
    beats = plan.connections * 1000 / config.wire.beat_ms
    sent_gb = (
        beats * a["beat_bytes"] * 86_400 + plan.messages_a_day * a["message_bytes"]
    ) * _MONTH_DAYS / 1e9  # fmt: skip

    small = machines + haproxies + redis_machines
    costs = {
        "machines": small * a["machine"] + 2 * a["database"],
        "disks": 2 * stored_gb * a["gb_month"],
        "traffic": sent_gb * a["gb_out"],
    }
    return [
        Line("load", "messages in the busiest second", plan.per_s, "/s", "assumed"),
        Line("load", "heartbeats", beats, "/s"),
        Line("gateway", "processes", gateways, ""),
        Line("gateway", "memory of each", each_mb, "MB"),
        Line("gateway", "cores busy at the peak", busy, ""),
        Line("gateway", "until all are back after a loss of all",
             plan.connections / (m["connects_per_s"] * gateways / 3), "s"),
        Line("api", "processes", apis, "", "assumed"),
        Line("worker:ai", "processes", answering, ""),
        Line("other workers", "processes", workers, ""),
        Line("ours", "memory of all processes", ours_mb / 1000, "GB"),
        Line("ours", f"machines of {cores} cores, one to spare", machines, ""),
        Line("HAProxy", "machines, one to spare", haproxies, "", "assumed"),
        Line("HAProxy", "kernel memory for both ends of each connection",
             2 * plan.connections * m["kernel_bytes"] / 1e9, "GB"),
        Line("Redis", "shards, each with a replica", shards, ""),
        Line("Redis", "memory of all shards", redis_mb / 1000, "GB"),
        Line("Redis", "machines", redis_machines, ""),
        Line("PostgreSQL", "cores busy at the peak", plan.per_s * m["postgres_us"] / 1e6, ""),
        Line("PostgreSQL", "connections, by default settings", links, ""),
        Line("PostgreSQL", "a month's partition", month_gb, "GB"),
        Line("PostgreSQL", f"partitions kept of {a['retention']:g} months and the next",
             a["retention"] + 1, "", "assumed"),
        Line("PostgreSQL", "stored", stored_gb / 1000, "TB"),
        Line("cost", "machines", costs["machines"], "$ a month", "assumed"),
        Line("cost", "disks, with the standby's", costs["disks"], "$ a month", "assumed"),
        Line("cost", "traffic", costs["traffic"], "$ a month", "assumed"),
        Line("cost", "all of it", sum(costs.values()), "$ a month", "assumed"),
    ]  # fmt: skip


# The page.

_PLANS: Final = (
    Plan(connections=50_000, messages_a_day=5e6),
    Plan(connections=250_000, messages_a_day=25e6),
    Plan(connections=1_000_000, messages_a_day=100e6),
)


def page() -> str:
    """`docs/topics/scale.md`, whole."""
    text = _TEMPLATE.read_text("utf-8")
    parts = {
        "measured": _figures(measured().values()),
        "assumed": _figures(assumptions().values()),
        "model": table(_PLANS),
    }
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part)
    made = "<!-- Made by `make docs` from docs/templates and docs/scale_model.py; do not edit. -->"
    return f"{made}\n\n{text.rstrip()}\n"


def table(plans: Sequence[Plan]) -> str:
    """The answers beside each other."""
    heads = [f"{p.connections:,} connections, {p.messages_a_day / 1e6:g} M a day" for p in plans]
    lines = [
        f"| part | what | {' | '.join(heads)} | basis |",
        f"|---|---|{'---|' * len(plans)}---|",
    ]
    for same in zip(*map(model, plans), strict=True):
        first = same[0]
        unit = f" {first.unit}" if first.unit and first.unit != "/s" else first.unit
        values = " | ".join(f"{number(line.value)}{unit}" for line in same)
        lines.append(f"| {first.part} | {first.what} | {values} | {first.basis} |")
    return "\n".join(lines) + "\n"


def _figures(figures: Iterable[Figure]) -> str:
    lines = ["| figure | value | from | basis |", "|---|---|---|---|"]
    for figure in figures:
        row = (figure.what, number(figure.value), figure.source, figure.basis)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """To three digits, which is more than a model knows."""
    if value and abs(value) < 1_000 and value != int(value):
        return f"{value:.3g}"
    digits = max(0, len(str(int(abs(value)))) - 3)
    return f"{round(value, -digits):,.0f}"


def main() -> None:
    """Print the answer for one plan, or for those of the page."""
    parser = argparse.ArgumentParser("python -m docs.scale_model", description=__doc__)
    parser.add_argument("--connections", type=int, help="open at the same time (default: several)")
    parser.add_argument("--messages", type=float, help="a day (default: 100 for each connection)")
    parser.add_argument(
        "--peak", type=float, default=5.0, help="busiest second beside the mean (5)"
    )
    options = parser.parse_args()
    plans: Sequence[Plan] = _PLANS
    if options.connections:
        messages = options.messages or 100.0 * options.connections
        given = Plan(
            connections=options.connections, messages_a_day=messages, peak=options.peak
        )  # fmt: skip
        plans = (given,)
    sys.stdout.write(table(plans))


if __name__ == "__main__":
    main()
