"""What came of a load: figures for people and for scripts. Pure.

Rule: a figure that is the tool's and not the server's is said to be so, in `warnings`.
"""

from typing import Final

from msgspec import Struct

from qingniao.load.meter import Histogram, Tally, Way
from qingniao.load.plan import Plan

__all__ = ["Direction", "Latency", "Report", "summarise", "table"]

_BUSY_CPU: Final = 0.85
"""Share of a core above which a process of ours is taken to be the bottleneck."""
_LATE_MS: Final = 5.0


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds, from when the schedule wanted it."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class Direction(Struct, frozen=True, kw_only=True):
    """Messages of one direction; see `meter.Way`."""

    sent: int
    acked: int
    delivered: int
    busy: int
    refused: int
    repeated: int
    lost: int
    cut_off: int
    unacked: int
    unsent: int
    ack: Latency
    delivery: Latency


class Report(Struct, frozen=True, kw_only=True):
    """The figures of one run."""

    shape: str
    connections: int
    """Wanted."""
    connected: int
    failed: int
    given_up: int
    dropped: dict[str, int]
    slow: int
    """Connections that stopped reading."""
    slow_closed: int
    """Of these, closed by the server for it."""
    left: int
    heartbeats: int
    handshakes_per_s: float
    connect: Latency
    wanted_per_s: float
    messages_per_s: float
    """Acked in the time in which the schedule was kept."""
    talked_s: float
    asks: Direction
    answers: Direction
    bot: Latency
    """Questions that the bot answered."""
    errors: dict[str, int]
    late: Latency
    processes: int
    cpu: tuple[float, ...]
    """Share of a core that each process used while talking."""
    warnings: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing acked was lost, nothing came twice, nobody was dropped."""
        return not (
            self.asks.lost or self.asks.repeated or self.answers.lost or self.answers.repeated
        ) and not (self.dropped or self.given_up)


def _latency(of: Histogram) -> Latency:
    def ms(share: float) -> float:
        return round(of.at(share) / 1000, 3)

    return Latency(
        count=of.total, p50_ms=ms(0.5), p90_ms=ms(0.9), p99_ms=ms(0.99), p999_ms=ms(0.999),
        max_ms=round(of.highest_us / 1000, 3),
    )  # fmt: skip


def _direction(way: Way) -> Direction:
    return Direction(
        sent=way.sent, acked=way.acked, delivered=way.delivered, busy=way.busy,
        refused=way.refused, repeated=way.repeated, lost=way.lost, cut_off=way.cut_off,
        unacked=way.unacked, unsent=way.unsent, ack=_latency(way.ack),
        delivery=_latency(way.delivery),
    )  # fmt: skip


def summarise(
    plan: Plan,
    total: Tally,
    *,
    opened_s: float,
    talked_s: float,
    cpu: tuple[float, ...],
    is_stopped: bool = False,
) -> Report:
    """All processes' figures. `opened_s`: from the first attempt to connect until everybody was
    in; a day's visitors come all the time. `is_stopped`: ended sooner because somebody said so."""
    took_s = talked_s if plan.shape == "day" else opened_s
    return Report(
        shape=plan.shape,
        connections=plan.connections - plan.visitors + plan.arrivals,
        connected=total.connected, failed=total.failed, given_up=total.given_up,
        dropped=total.dropped, slow=plan.slow, slow_closed=total.slow_closed, left=total.left,
        heartbeats=total.heartbeats,
        handshakes_per_s=round(total.connected / max(took_s, 1e-3), 1),
        connect=_latency(total.connect),
        wanted_per_s=0.0 if plan.shape == "idle" else plan.rate,
        messages_per_s=round((total.asks.acked + total.answers.acked) / max(talked_s, 1e-3), 1),
        talked_s=round(talked_s, 2),
        asks=_direction(total.asks), answers=_direction(total.answers),
        bot=_latency(total.bot), errors=total.errors, late=_latency(total.late),
        processes=plan.processes, cpu=tuple(round(share, 2) for share in cpu),
        warnings=tuple(_warnings(plan, total, talked_s, cpu, is_stopped=is_stopped)),
    )  # fmt: skip


def _warnings(
    plan: Plan, total: Tally, talked_s: float, cpu: tuple[float, ...], *, is_stopped: bool
) -> list[str]:
    said = []
    if plan.shape != "day" and talked_s < plan.duration_s - 1 and not is_stopped:
        said.append(f"Every connection was lost after {talked_s:.1f} s: is the server still there?")
    if max(cpu, default=0) > _BUSY_CPU:
        said.append(
            f"A load process used {max(cpu):.0%} of a core: the figures are this tool's, not the "
            "server's. Use more --processes, or another machine."
        )
    late_ms = total.late.at(0.99) / 1000
    if late_ms > _LATE_MS:
        said.append(
            f"This tool was {late_ms:.0f} ms late itself (99 of 100 were less): the machine has "
            "too little to spare."
        )
    if total.asks.unsent:
        said.append(
            f"{total.asks.unsent} messages of the schedule were never sent: the latencies are "
            "those of the others."
        )
    return said


def table(report: Report) -> str:
    """For people."""
    lines = [("", "")]
    lines += [
        ("connected", f"{report.connected:,} of {report.connections:,}"),
        ("handshakes a second", f"{report.handshakes_per_s:,.0f}"),
        ("until welcome", _ms(report.connect)),
    ]
    lines += _present(
        ("attempts that failed", report.failed), ("given up", report.given_up),
        ("left when done", report.left), ("slow, and closed for it", report.slow_closed),
    )  # fmt: skip
    if report.slow:
        closed = f"{report.slow_closed:,} of {report.slow:,}"
        lines.append(("slow readers closed for it", closed))
    lines.append(("dropped", _by_code(report.dropped)))
    lines.append(("heartbeats", f"{report.heartbeats:,}"))
    if report.wanted_per_s:
        asks = report.asks
        lines.append(("messages wanted a second", f"{report.wanted_per_s:,.0f}"))
        lines.append(("acked a second, both ways", f"{report.messages_per_s:,.0f}"))
        lines += _way("visitors", asks)
        if report.answers.sent or report.answers.unsent:
            lines += _way("agents", report.answers)
        if report.bot.count:
            lines.append(("answered by the bot", f"{report.bot.count:,}"))
            lines.append(("  until answered", _ms(report.bot)))
    if report.errors:
        lines.append(("errors", _by_code(report.errors)))
    lines.append(("CPU of the load", ", ".join(f"{share:.0%}" for share in report.cpu)))
    if report.late.count:
        lines.append(("lateness of the load itself", _ms(report.late)))
    width = max(len(label) for label, _ in lines)
    text = "\n".join(f"  {label:<{width}}  {value}".rstrip() for label, value in lines[1:])
    return text + "".join(f"\n! {warning}" for warning in report.warnings)


def _way(who: str, way: Direction) -> list[tuple[str, str]]:
    rows = [
        (f"{who} sent", f"{way.sent:,}"),
        ("  acked", f"{way.acked:,}"),
        ("  until acked", _ms(way.ack)),
    ]
    if way.delivery.count or way.lost:
        rows += [
            ("  delivered", f"{way.delivered:,}"),
            ("  until delivered", _ms(way.delivery)),
            ("  lost (must be 0)", f"{way.lost:,}"),
            ("  repeated (must be 0)", f"{way.repeated:,}"),
        ]
    return rows + _present(
        ("  told busy", way.busy), ("  refused", way.refused), ("  cut off", way.cut_off),
        ("  never acked", way.unacked), ("  never sent", way.unsent),
    )  # fmt: skip


def _present(*rows: tuple[str, int]) -> list[tuple[str, str]]:
    return [(label, f"{value:,}") for label, value in rows if value]


def _by_code(counts: dict[str, int]) -> str:
    found = ", ".join(f"{times:,} with {code}" for code, times in sorted(counts.items()))
    return found or "0"


def _ms(latency: Latency) -> str:
    return (
        f"p50 {latency.p50_ms:.1f}  p90 {latency.p90_ms:.1f}  p99 {latency.p99_ms:.1f}  "
        f"p99.9 {latency.p999_ms:.1f}  max {latency.max_ms:.1f} ms"
    )
