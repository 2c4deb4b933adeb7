"""The bot of the house: answers from its own knowledge base, without a network.

Owns how a found entry becomes a reply; refuses to search itself and to write sentences of its own.
Rule: below `answer_at` it says nothing at all: an empty answer is worth more than a wrong one.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Final

from qingniao.bots.base import (
    BotUnavailable,
    Capabilities,
    Citation,
    Done,
    Grounded,
    Health,
    Lesson,
    Passage,
    Query,
    ReplyEvent,
    Retriever,
    TextDelta,
    TrainingReport,
    TrainingUnsupported,
    Usage,
)

__all__ = ["Learned", "LocalBot", "Trainer"]

PIECE_CHARS: Final = 12
"""About what a fast model sends at a time; small enough to look written, large enough to be
cheap.
"""

QUOTE_CHARS: Final = 120
OPTIONS: Final = 3

Learned = tuple[Retriever, TrainingReport]
"""What a training brings back: where to search from now on, and what happened."""

Trainer = Callable[[Sequence[Lesson]], Awaitable[Learned]]
"""Builds a new index somewhere else (it is heavy work) and opens it. Raises anything on failure."""


class LocalBot:
    """Implements `BotService` over a `Retriever`.

    `answer_at` is the least confidence at which it answers, `suggest_at` at which it still offers
    an entry's question as "did you mean".
    """

    def __init__(
        self,
        retriever: Retriever,
        *,
        name: str = "local",
        answer_at: float = 0.5,
        suggest_at: float = 0.2,
        trainer: Trainer | None = None,
    ) -> None:
        if not 0.0 <= suggest_at <= answer_at <= 1.0:
            raise ValueError(
                f"0 <= suggest_at <= answer_at <= 1 must hold, got {suggest_at} and {answer_at}"
            )
        self._retriever = retriever
        self._name = name
        self._answer_at = answer_at
        self._suggest_at = suggest_at
        self._trainer = trainer

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True,
            measures_confidence=True,
            cites=True,
            trains=self._trainer is not None,
            leaves_house=False,
        )

    def use(self, retriever: Retriever) -> None:
        """Search here from the next question on; replies under way keep what they found."""
        self._retriever = retriever

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        started = time.perf_counter()
        try:
            found = self._retriever.search(query.text, limit=OPTIONS + 1)
        except Exception as exc:  # an index can fail in ways only its engine knows
            raise BotUnavailable("The knowledge index failed.") from exc
        confidence = found[0].confidence if found else 0.0
        if confidence < self._answer_at:
            yield Grounded(confidence=confidence)
            yield Done(text="", usage=_usage(started), options=self._options(found))
            return
        entry = found[0].entry
        yield Grounded(confidence=confidence, citations=(_cite(entry),))
        for piece in _pieces(entry.answer):
            yield TextDelta(text=piece)
        yield Done(text=entry.answer, usage=_usage(started), options=self._options(found[1:]))

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        if self._trainer is None:
            raise TrainingUnsupported
        try:
            retriever, report = await self._trainer(lessons)
        except Exception as exc:
            raise BotUnavailable("The training failed; the old knowledge stays in use.") from exc
        self.use(retriever)
        return report

    async def health(self) -> Health:
        return Health(is_ok=True, version=self._retriever.version)

    def _options(self, found: Sequence[Passage]) -> tuple[str, ...]:
        near = (p.entry.question for p in found if p.confidence >= self._suggest_at)
        return tuple(dict.fromkeys(near))[:OPTIONS]


def _cite(entry: Lesson) -> Citation:
    quote = entry.answer
    if len(quote) > QUOTE_CHARS:
        quote = quote[: QUOTE_CHARS - 1] + "…"
    return Citation(id=entry.id, title=entry.title or entry.category or entry.question, quote=quote)


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE_CHARS):
        yield text[start : start + PIECE_CHARS]


def _usage(started: float) -> Usage:
    return Usage(took_ms=round((time.perf_counter() - started) * 1000))
