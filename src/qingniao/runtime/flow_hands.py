"""What flows ask of the world, put together. Owns who counts as there.

Rule: a secret is opened here, for the origin that it is kept for, and by nobody else.
"""

from collections.abc import Mapping

from qingniao.auth.sealing import SealBroken
from qingniao.flow.secrets import place_of
from qingniao.log import get_logger
from qingniao.runtime.changes import Changes
from qingniao.runtime.foundation import Foundation
from qingniao.workers.hands import Hands

__all__ = ["make_hands"]

_log = get_logger("runtime")


def make_hands(base: Foundation) -> Hands:
    """The hands of this process."""
    engines, bus = base.engines, base.engines.bus
    changes = Changes(engines.log, base.pipeline, bus.fanout, bus.queue, bus.presence)

    async def secrets(origin: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, sealed in (await base.flow_secrets.sealed(origin)).items():
            try:
                found[name] = base.sealer.open(sealed, place_of(origin, name))
            except SealBroken:
                _log.error("flow_secret_broken", origin=origin, secret=name)
        return found

    async def agents_online() -> int:
        there = [u.id for u in await base.users.all() if u.accepting and not u.disabled]
        return len(await bus.presence.online([f"a:{agent}" for agent in there]))

    return Hands(
        base.outgoing,
        base.visitors,
        secrets=secrets,
        agents_online=agents_online,
        renamed=changes.rename,
        clock=engines.clock,
    )
