"""`split`: some go this way, some that. Rule: the same visitor always goes the same way, on every
machine and after every restart, as long as the weights stay.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene

__all__ = ["Share", "Split", "SplitSettings", "bucket"]

MAX_SHARES: Final = 10


class Share(Struct, frozen=True, forbid_unknown_fields=True):
    """Of the visitors, `weight` parts leave by `port`."""

    port: str
    weight: float = 1.0


class SplitSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`shares` in order. `salt`: visitors are dealt anew under another; empty: the node's id."""

    shares: tuple[Share, ...]
    salt: str = ""


class Split(Kind[SplitSettings]):
    """Deals visitors out."""

    name = "split"
    settings = SplitSettings

    def ports(self, settings: SplitSettings) -> tuple[Port, ...]:
        return tuple(Port(share.port) for share in settings.shares)

    def faults(self, settings: SplitSettings) -> Iterator[str]:
        ports = [share.port for share in settings.shares]
        if not 2 <= len(ports) <= MAX_SHARES:
            yield Fault(
                f"It deals out to between 2 and {MAX_SHARES} ways.",
                code="shares",
                mend="Add or remove some.",
                most=MAX_SHARES,
            )
        if len(set(ports)) < len(ports) or FAILED in ports or not all(ports):
            yield Fault(
                "Each share needs a way out with a name of its own.",
                code="port_names",
                mend="Name them differently, and not failed.",
            )
        weights = [share.weight for share in settings.shares]
        if not all(0.0 <= weight <= 1e6 for weight in weights) or not sum(weights) > 0.0:
            yield Fault(
                "A weight is a number from 0 on, and not all of them are 0.",
                code="weights",
                mend="Give the parts, such as 1 and 1, or 90 and 10.",
            )

    def enter(self, settings: SplitSettings, scene: Scene) -> Act:
        at = bucket(scene.visitor, settings.salt or scene.node)
        total = sum(share.weight for share in settings.shares)
        port, upto = settings.shares[-1].port, 0.0
        for share in settings.shares:
            upto += share.weight
            if at * total < upto:
                port = share.port
                break
        return Act(port=port, note={"at": round(at, 4)})


def bucket(visitor: str, salt: str) -> float:
    """Where in [0, 1) this visitor stands under `salt`; even over visitors."""
    drawn = hashlib.sha256(f"{salt}:{visitor}".encode()).digest()
    return int.from_bytes(drawn[:7], "big") / 2**56
