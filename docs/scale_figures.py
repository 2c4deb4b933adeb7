"""The figures that `docs/scale_model.py` rests on. Owns where each is from; computes no answer.

Rule: every figure says where it is from: `measured` is in `bench/results`, `extrapolated` follows
from measured ones beyond what was measured, `assumed` was chosen and has to be replaced by yours.
"""

import json
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

__all__ = ["ROOT", "Basis", "Figure", "assumptions", "gateway_us", "measured"]

ROOT: Final = Path(__file__).parent.parent

Basis = Literal["measured", "extrapolated", "assumed"]

_NODE: Final = "node-50k"
_COST: Final = "cluster-cost"


class Figure(Struct, frozen=True):
    """One number that the model rests on."""

    value: float
    what: str
    source: str
    """The bench, or why this was assumed."""
    basis: Basis = "measured"


def _look_up(bench: str, name: str) -> float:
    """Raises `OSError` or `KeyError` when the bench has not been kept with this figure."""
    path = ROOT / "bench/results" / f"{bench}.json"
    return float(json.loads(path.read_text("utf-8"))["results"][name])


def measured() -> dict[str, Figure]:
    """Name → figure, from the benches."""
    asked = {
        "bytes_each": (_NODE, "bytes_each", "bytes of a gateway for each connection"),
        "gateway_mb": (_NODE, "gateway_empty_mb", "MB of a gateway without connections (PSS)"),
        "kernel_bytes": (_NODE, "kernel_bytes_each", "bytes of the kernel for an end of one"),
        "api_mb": (_NODE, "api_mb", "MB of an api process"),
        "ai_mb": (_NODE, "ai_mb", "MB of a worker that answers, with the sample's knowledge"),
        "workers_mb": (_NODE, "workers_mb", "MB of the other workers in one process"),
        "redis_mb": (_NODE, "redis_mb", "MB of Redis with so many conversations followed"),
        "connects_per_s": (_NODE, "connects_per_s", "handshakes a second while they came"),
        "embedded_us": (_COST, "embedded_us", "µs of CPU per message, embedded"),
        "gateway1_us": (_COST, "standalone1_gateway_us", "µs of one gateway per message"),
        "gateway2_us": (_COST, "standalone2_gateway_us", "µs of two gateways per message"),
        "gateway3_us": (_COST, "standalone3_gateway_us", "µs of three gateways per message"),
        "workers_us": (_COST, "standalone3_workers_us", "µs of lists and sums per message"),
        "postgres_us": (_COST, "standalone3_postgres_us", "µs of PostgreSQL per message"),
        "redis_us": (_COST, "standalone3_redis_us", "µs of one Redis per message"),
        "cluster_us": (_COST, "cluster3_redis_us", "µs of a Redis Cluster of six per message"),
        "most_per_s": (_COST, "standalone3_most_per_s", "messages a second at the most, 2 cores"),
        "most_us": (_COST, "standalone3_most_us", "µs of all ours per message at the most"),
        "stored_bytes": (_COST, "standalone3_stored_bytes", "bytes of PostgreSQL for an entry"),
        "answer_ms": ("start", "first_answer_ms", "ms of one answer of the local bot, idle"),
    }
    figures = {
        name: Figure(_look_up(bench, key), what, f"`{bench}`")
        for name, (bench, key, what) in asked.items()
    }
    us = {name: figure.value for name, figure in figures.items()}
    figures["two_us"] = Figure(
        gateway_us(2, us["gateway1_us"], us["gateway3_us"]),
        "µs of two gateways per message, by the model", "that of one and of three", "extrapolated",
    )  # fmt: skip
    cpu, rate, held = (
        _look_up(_NODE, key) for key in ("gateway_cpu", "messages_per_s", "connections")
    )
    beats = cpu - rate * us["gateway3_us"] / 1e6
    figures["beat_us"] = Figure(
        max(0.1, beats / held * 1e6),
        "µs of a gateway in a second for a connection that is only there",
        "`node-50k` less its messages by `cluster-cost`", "extrapolated",
    )  # fmt: skip
    return figures


def gateway_us(gateways: int, one_us: float, three_us: float) -> float:
    """µs of all gateways for a message when there are so many. A conversation has two sides; with
    `n` gateways the other side is on another one in `1 - 1 / n` of all cases, never on more."""
    crossing_us = (three_us - one_us) / (1 - 1 / 3)
    return one_us + max(0.0, crossing_us) * (1 - 1 / gateways)


def assumptions() -> dict[str, Figure]:
    """Name → what was chosen."""

    def chosen(value: float, what: str, why: str) -> Figure:
        return Figure(value, what, why, "assumed")

    return {
        "each_gateway": chosen(20_000, "connections of a gateway process", "16,667 were measured"),
        "api_for": chosen(100_000, "connections for an api process", "HTTP was not measured here"),
        "answered": chosen(0.3, "answers of the bot among all messages", "yours differs"),
        "cores": chosen(4, "cores of a machine for ours", "the machine below"),
        "each_haproxy": chosen(250_000, "connections of a HAProxy machine", "not measured"),
        "retention": chosen(12, "months that are kept", "`storage.retention_days`"),
        "overhead": chosen(1.3, "PostgreSQL beside the entries, and room", "not measured"),
        "beat_bytes": chosen(120, "bytes sent out for a heartbeat", "TCP included"),
        "message_bytes": chosen(900, "bytes sent out for a message", "acks and TCP included"),
        "machine": chosen(120, "$ a month for 4 cores, 16 GB", "a price of clouds"),
        "database": chosen(480, "$ a month for 16 cores, 64 GB", "a price of clouds"),
        "gb_month": chosen(0.10, "$ a month for a GB of fast disk", "a price of clouds"),
        "gb_out": chosen(0.05, "$ for a GB sent to the internet", "a price of clouds"),
    }
