"""How a worker finds its work while nobody can tell it: it sweeps for itself.

Rule: only while the bus is away; otherwise that is the delivery role's, once for all.
"""

from qingniao.chat.ports import Role
from qingniao.runtime.engines import Engines
from qingniao.workers.dispatch import Sweeper

__all__ = ["own_sweeper"]


def own_sweeper(engines: Engines, role: Role) -> Sweeper:
    """Of this process's queue, which serves itself without the bus."""
    fanout = engines.bus.fanout
    return Sweeper(engines.log, engines.bus.queue, (role,), lambda: not fanout.is_whole)
