"""What a drill is, and what it gets to break things with."""

from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from qingniao.testing.drills.cluster import DrillCluster
from qingniao.testing.load import Load

__all__ = ["Break", "Drill", "Lengths", "Scene"]


class Lengths(Struct, frozen=True, kw_only=True):
    """How long faults last, in seconds."""

    gone_s: float = 5.0
    """An engine."""
    way_s: float = 3.0
    """Each trouble of a way between two kinds of process."""
    frozen_s: float = 18.0
    """A process; longer than a lease lives, so that another takes its place."""


class Scene(Struct, frozen=True):
    """Where a drill happens: everybody in `load` talks."""

    cluster: DrillCluster
    load: Load
    lengths: Lengths


Break = Callable[[Scene], Awaitable[dict[str, float]]]
"""Breaks something and mends it; what it counted. Raises `TimeoutError` or `StartError` when what
should have come back did not."""


class Drill(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    breaks: Break
    redis: Literal["standalone", "cluster"] = "standalone"
    """Which cluster it needs."""
