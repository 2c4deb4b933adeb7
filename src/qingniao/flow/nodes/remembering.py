"""What a flow may write on record about a visitor. Rule: only what agents could write down too."""

from collections.abc import Iterator
from typing import Final

from qingniao.flow.events import BotFailed, Event, ServiceFailed
from qingniao.flow.nodes.base import Fault

__all__ = ["ATTRIBUTES", "attribute_faults", "reason_of"]

ATTRIBUTES: Final[dict[str, int]] = {"name": 64, "phone": 32, "email": 128, "note": 2_000}
"""What there is of a visitor, and how many characters it has room for."""


def attribute_faults(attribute: str) -> Iterator[Fault]:
    """Say why this cannot be written on record."""
    if attribute not in ATTRIBUTES:
        yield Fault(
            f"A visitor has no {attribute[:40]!r} to be written on record.",
            code="attribute",
            mend=f"Choose one of {', '.join(ATTRIBUTES)}; others can be a variable or a tag.",
            attribute=attribute[:40],
        )


def reason_of(event: Event) -> str:
    """Why what was asked for is not here, for the trace."""
    return event.reason if isinstance(event, BotFailed | ServiceFailed) else "It took too long."
