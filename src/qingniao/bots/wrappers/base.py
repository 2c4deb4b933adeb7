"""What every wrapper shares: it is the bot inside in everything that it does not change.

Rule: a wrapper adds no event of its own but what its docstring says, and closes what it opened.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal

from qingniao.bots.base import (
    BotService,
    Capabilities,
    Closing,
    FeedbackUnsupported,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    TakesFeedback,
    TrainingReport,
)

__all__ = ["Wrapper", "shorter"]


def shorter(own_s: float, asked_s: float) -> float | None:
    """The shorter of two bounds, of which zero is none; `None` if there is none at all."""
    return min((bound_s for bound_s in (own_s, asked_s) if bound_s > 0), default=None)


class Wrapper:
    """Passes everything on."""

    def __init__(self, inner: BotService) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        """See `BotService.reply`."""
        return self._inner.reply(query)

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """See `BotService.train`."""
        return await self._inner.train(lessons)

    async def health(self) -> Health:
        """See `BotService.health`."""
        return await self._inner.health()

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        """See `TakesFeedback.feedback`."""
        if not isinstance(self._inner, TakesFeedback):
            raise FeedbackUnsupported
        await self._inner.feedback(message, visitor, verdict, comment)

    async def close(self) -> None:
        """See `Closing.close`."""
        if isinstance(self._inner, Closing):
            await self._inner.close()
