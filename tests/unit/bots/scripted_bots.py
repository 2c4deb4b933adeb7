"""A bot that does what a test wrote down."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from qingniao.bots.base import (
    BotError,
    Capabilities,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    TrainingReport,
    TrainingUnsupported,
)

Step = ReplyEvent | BotError | float
"""An event, an error to raise, or seconds to be silent."""


class Scripted:
    """Plays its steps at each question; with `turns`, others at the first, second, … question."""

    def __init__(self, *steps: Step, turns: Sequence[Sequence[Step]] = (), name: str = "s") -> None:
        self._turns = [list(turn) for turn in turns] or [list(steps)]
        self.name = name
        self.asked: list[Query] = []
        self.under_way = 0
        self.closed = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True, measures_confidence=False, cites=False, trains=False, leaves_house=False
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        turn = self._turns[min(len(self.asked), len(self._turns) - 1)]
        self.asked.append(query)
        self.under_way += 1
        try:
            for step in turn:
                if isinstance(step, BotError):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.under_way -= 1

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        raise TrainingUnsupported

    async def health(self) -> Health:
        return Health(is_ok=True)

    async def close(self) -> None:
        self.closed += 1
