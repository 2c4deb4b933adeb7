"""What is asked of each bot and what comes of it, in figures. Owns `Figures`; refuses any policy.

Rule: a figure changes nothing; a bot is counted outside of its policy, so that a refusal is a
failure like any other, and in a chain each bot counts for itself.
"""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final, Protocol

from qingniao.bots.base import BotError, BotService, Done, Query, ReplyEvent, TextDelta
from qingniao.bots.wrappers.base import Wrapper
from qingniao.bots.wrappers.breaker import CircuitBreaker
from qingniao.metrics import Histogram, Labelled, Reading

__all__ = ["Figures", "Measured", "Notes", "Tally"]

BOTS: Final = 64
"""With figures of their own; all others share `other`."""

_FIRST_MS: Final = (10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000)
_WHOLE_MS: Final = (50, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 60_000, 120_000)


class Tally:
    """The figures of one bot."""

    def __init__(self) -> None:
        self.answers = self.left = self.under_way = 0
        self.failures: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.first_ms = Histogram(*_FIRST_MS)
        self.whole_ms = Histogram(*_WHOLE_MS)
        self.breaker: CircuitBreaker | None = None

    @property
    def is_left_alone(self) -> bool:
        """Does its breaker let nobody through?"""
        return self.breaker is not None and self.breaker.state == "open"


class Notes(Protocol):
    """Hears what came of each question, beside the tally: for longer than the process lives."""

    def answered(self, bot: str, done: Done, first_ms: float, whole_ms: float) -> None:
        """A whole answer; the times are from the question to the first words and to the end."""
        ...

    def failed(self, bot: str, error: BotError) -> None:
        """There was no answer."""
        ...


class Measured(Wrapper):
    """Counts each reply into `tally`, and has `notes` taken of it."""

    def __init__(
        self,
        inner: BotService,
        tally: Tally,
        notes: Notes | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(inner)
        self._tally = tally
        self._notes = notes
        self._clock = clock

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        tally = self._tally
        started_s = self._clock()
        first_ms: float | None = None
        is_over = False
        tally.under_way += 1
        try:
            async with aclosing(self._inner.reply(query)) as events:
                async for event in events:
                    if first_ms is None and isinstance(event, TextDelta):
                        first_ms = (self._clock() - started_s) * 1_000
                        tally.first_ms.observe(first_ms)
                    elif isinstance(event, Done):
                        is_over = True
                        self._done(event, first_ms, (self._clock() - started_s) * 1_000)
                    yield event
        except BotError as exc:
            is_over = True
            tally.failures[exc.code] += 1
            if self._notes is not None:
                self._notes.failed(self.name, exc)
            raise
        except Exception:
            is_over = True
            tally.failures[BotError.code] += 1
            raise
        finally:
            tally.under_way -= 1
            if not is_over:
                tally.left += 1

    def _done(self, done: Done, first_ms: float | None, whole_ms: float) -> None:
        tally = self._tally
        tally.answers += 1
        tally.whole_ms.observe(whole_ms)
        tally.tokens["prompt"] += done.usage.prompt_tokens
        tally.tokens["completion"] += done.usage.completion_tokens
        if self._notes is not None:
            self._notes.answered(
                self.name, done, whole_ms if first_ms is None else first_ms, whole_ms
            )


class Figures:
    """The tallies of all bots of a process, by name."""

    def __init__(self, notes: Notes | None = None) -> None:
        self._tallies: dict[str, Tally] = {}
        self._notes = notes

    def measured(self, bot: BotService) -> BotService:
        """The bot, counted. One that takes its place goes on with its figures."""
        name = bot.name
        if name not in self._tallies and len(self._tallies) >= BOTS:
            name = "other"
        tally = self._tallies.setdefault(name, Tally())
        tally.breaker = bot if isinstance(bot, CircuitBreaker) and name == bot.name else None
        return Measured(bot, tally, self._notes)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        # A scrape runs in a thread of its own: what it walks through must not grow meanwhile.
        tallies = tuple(self._tallies.items())
        answers = self._by_bot(lambda tally: tally.answers)
        yield "counter", "bot_answers", "Whole answers of each bot.", answers
        failures: dict[tuple[str, ...], float] = {
            (bot, code): float(count)
            for bot, tally in tallies
            for code, count in tuple(tally.failures.items())
        }
        told = Labelled(("bot", "code"), failures)
        yield "counter", "bot_failures", "Replies that failed, by kind of failure.", told
        left = self._by_bot(lambda tally: tally.left)
        yield "counter", "bot_left", "Replies that nobody waited for to the end.", left
        under_way = self._by_bot(lambda tally: tally.under_way)
        yield "gauge", "bot_replies", "Replies under way, those in line included.", under_way
        alone = self._by_bot(lambda tally: tally.is_left_alone)
        yield "gauge", "bot_left_alone", "1 while its breaker lets nobody through.", alone
        tokens: dict[tuple[str, ...], float] = {
            (bot, kind): float(count)
            for bot, tally in tallies
            for kind, count in tuple(tally.tokens.items())
        }
        used = Labelled(("bot", "kind"), tokens)
        yield "counter", "bot_tokens", "Tokens as platforms count them, in and out.", used
        first = Labelled(("bot",), {(bot,): tally.first_ms for bot, tally in tallies})
        yield "histogram", "bot_first_ms", "From a question to the first words.", first
        whole = Labelled(("bot",), {(bot,): tally.whole_ms for bot, tally in tallies})
        yield "histogram", "bot_answer_ms", "From a question to the whole answer.", whole

    def _by_bot(self, figure: Callable[[Tally], float]) -> Labelled:
        tallies = tuple(self._tallies.items())
        return Labelled(("bot",), {(bot,): float(figure(tally)) for bot, tally in tallies})
