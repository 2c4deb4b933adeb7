"""What most bots of one's own need: everything of the port but the answer.

Rule: a subclass writes `reply` and a name, and overrides what it can do better.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence

from qingniao.bots.base import (
    Capabilities,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    TrainingReport,
    TrainingUnsupported,
)

__all__ = ["SimpleBot"]


class SimpleBot(ABC):
    """A bot that streams, cites nothing, learns nothing and is well."""

    name = "simple"
    capabilities = Capabilities(
        streams=True, measures_confidence=False, cites=False, trains=False, leaves_house=False
    )

    @abstractmethod
    def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        """See `BotService.reply`."""

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """See `BotService.train`."""
        raise TrainingUnsupported

    async def health(self) -> Health:
        """See `BotService.health`."""
        return Health(is_ok=True)
