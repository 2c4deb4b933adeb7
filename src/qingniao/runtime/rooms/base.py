"""What the house asks of a room. Rule: a room takes nothing in before `jobs` runs."""

from collections.abc import Coroutine, Iterable
from typing import Protocol

from qingniao.metrics import Reading

__all__ = ["Room"]


class Room(Protocol):
    """One role in this process."""

    async def open(self) -> None:
        """Read what it needs to begin. Raises `StartError`."""
        ...

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """Everything of it that runs until the end."""
        ...

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        ...

    async def drain(self, within_s: float) -> None:
        """Take nothing new, and finish or leave to others what was taken. Idempotent."""
        ...
