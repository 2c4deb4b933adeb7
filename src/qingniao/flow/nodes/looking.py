"""Nodes that look something up in the house. Owns how long a look may take.

Rule: a visitor waits for it, so it is short, and without an answer the node goes on by `failed`.
"""

from collections.abc import Iterator
from typing import Final

from qingniao.flow.nodes.base import Fault

__all__ = ["MAX_LOOK_S", "look_faults"]

MAX_LOOK_S: Final = 10.0


def look_faults(timeout_s: float) -> Iterator[Fault]:
    """Say what is wrong with the time for a look."""
    if not 0.0 <= timeout_s <= MAX_LOOK_S:
        yield Fault(
            f"A look may take up to {MAX_LOOK_S:.0f} seconds; 0 is the house's own limit.",
            code="timeout",
            mend="Give seconds in that range; a visitor is waiting.",
        )
