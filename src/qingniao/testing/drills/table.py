"""Every drill there is, in the order in which they are run.

Rule: drills on the same cluster stand together.
"""

from typing import Final, get_args

from qingniao.testing.drills.clocks import clocks_apart
from qingniao.testing.drills.cluster import WayName
from qingniao.testing.drills.frozen import freeze
from qingniao.testing.drills.kills import kill_all, kill_in_turn, kill_one
from qingniao.testing.drills.kinds import Drill
from qingniao.testing.drills.network import TROUBLES, trouble
from qingniao.testing.drills.postgres import (
    database_is_killed,
    database_is_stopped,
    database_restarts,
    database_stands_still,
)
from qingniao.testing.drills.redis import (
    all_of_redis_is_gone,
    redis_primary_dies,
    redis_stands_still,
)

__all__ = ["DRILLS", "QUICK", "SMALL"]

_WORKERS: Final = ("ai", "assignment", "analytics", "delivery")


def _ours() -> list[Drill]:
    drills = [
        Drill(name="kill-gateway", breaks=kill_one("gateway")),
        Drill(name="kill-every-gateway", breaks=kill_in_turn("gateway")),
        Drill(name="kill-all-gateways", breaks=kill_all("gateway")),
        Drill(name="kill-haproxy", breaks=kill_one("haproxy")),
    ]
    drills += [Drill(name=f"kill-{name}", breaks=kill_all(f"worker:{name}")) for name in _WORKERS]
    return drills


def _engines() -> list[Drill]:
    return [
        Drill(name="redis-gone", breaks=all_of_redis_is_gone),
        Drill(name="redis-still", breaks=redis_stands_still),
        Drill(name="postgresql-restart", breaks=database_restarts),
        Drill(name="postgresql-kill", breaks=database_is_killed),
        Drill(name="postgresql-stopped", breaks=database_is_stopped),
        Drill(name="postgresql-still", breaks=database_stands_still),
    ]


def _ways() -> list[Drill]:
    return [
        Drill(name=f"{way}-{kind}", breaks=trouble(way, kind))
        for way in get_args(WayName)
        for kind in TROUBLES
    ]


def _stale() -> list[Drill]:
    return [
        Drill(name="frozen-ai", breaks=freeze("worker:ai")),
        Drill(name="frozen-assignment", breaks=freeze("worker:assignment")),
        Drill(name="frozen-gateway", breaks=freeze("gateway")),
        Drill(name="clocks-apart", breaks=clocks_apart),
    ]


def _cluster() -> list[Drill]:
    return [
        Drill(name="redis-cluster-primary", breaks=redis_primary_dies, redis="cluster"),
        Drill(name="redis-cluster-gone", breaks=all_of_redis_is_gone, redis="cluster"),
    ]


DRILLS: Final = [*_cluster(), *_ours(), *_engines(), *_ways(), *_stale()]
"""At full size."""

SMALL: Final = [
    *(d for d in DRILLS if d.name not in ("kill-gateway", "kill-all-gateways", "redis-still")
      and d.name not in {way.name for way in _ways()}),
    # All that can happen to a way, one after the other.
    *(Drill(name=way, breaks=trouble(way, *TROUBLES)) for way in get_args(WayName)),
]  # fmt: skip
"""What a test run has time for: every kind of fault, with as few starts as possible."""

_QUICK: Final = (
    "kill-gateway",
    "kill-ai",
    "redis-gone",
    "postgresql-kill",
    "worker-postgresql-cut",
)
QUICK: Final = [drill for drill in DRILLS if drill.name in _QUICK]
"""What a glance has time for."""
