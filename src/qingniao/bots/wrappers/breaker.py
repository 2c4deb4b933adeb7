"""A bot that keeps failing is left alone for a while. Rule: while it is left alone nobody waits for
it; then one question is let through, and its end decides.

    closed ──`failures` in a row──► open ──after `open_s`──► trying ──good──► closed
                                      ▲                        └──────bad──────┘
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Literal

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotOverBudget,
    BotService,
    BotUnavailable,
    Done,
    Health,
    InputRequired,
    Query,
    QueryRejected,
    ReplyEvent,
)
from qingniao.bots.wrappers.base import Wrapper
from qingniao.log import get_logger

__all__ = ["CircuitBreaker"]

_NOT_ITS_FAULT = (BotBusy, BotOverBudget, InputRequired, QueryRejected)
"""These say something about the question or about us, not that the bot is broken."""

_log = get_logger("bots")


class CircuitBreaker(Wrapper):
    """After `failures` in a row raises `BotUnavailable` at once for `open_s` seconds."""

    def __init__(
        self,
        inner: BotService,
        *,
        failures: int = 5,
        open_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or open_s <= 0:
            raise ValueError(f"failures and open_s must be above 0, got {failures}, {open_s}")
        super().__init__(inner)
        self._failures = failures
        self._open_s = open_s
        self._clock = clock
        self._in_a_row = 0
        self._closes_s = 0.0
        self._is_trying = False
        self._last = ""

    @property
    def state(self) -> Literal["closed", "open", "trying"]:
        """Where it stands now."""
        if self._in_a_row < self._failures:
            return "closed"
        if self._is_trying:
            return "trying"
        return "open" if self._clock() < self._closes_s else "trying"

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        is_trial = self._enter()
        is_judged = False
        try:
            async with aclosing(self._inner.reply(query)) as events:
                async for event in events:
                    if isinstance(event, Done):
                        is_judged = True
                        self._good()
                    yield event
        except _NOT_ITS_FAULT:
            is_judged = True
            if is_trial:
                self._good()
            raise
        except BotError as exc:
            is_judged = True
            self._bad(str(exc))
            raise
        finally:
            if is_trial:
                self._is_trying = False
            if not is_judged and is_trial:
                # Left early: nothing is known, so the next question is the trial.
                self._closes_s = self._clock()

    async def health(self) -> Health:
        """While it is left alone that is what is told, with the reason."""
        if self.state == "open":
            return Health(is_ok=False, detail=f"Left alone after failures. {self._last}")
        return await self._inner.health()

    def _enter(self) -> bool:
        """True: this question is the trial. Raises `BotUnavailable` while it is open."""
        if self._in_a_row < self._failures:
            return False
        left_s = self._closes_s - self._clock()
        if left_s > 0 or self._is_trying:
            raise BotUnavailable(
                f"{self.name} is left alone for {max(left_s, 1.0):.0f} s after failures. "
                f"{self._last}"
            )
        self._is_trying = True
        return True

    def _good(self) -> None:
        if self._in_a_row >= self._failures:
            _log.info("bot_back", bot=self.name)
        self._in_a_row = 0

    def _bad(self, why: str) -> None:
        self._in_a_row += 1
        self._last = why
        if self._in_a_row >= self._failures:
            self._closes_s = self._clock() + self._open_s
            _log.warning("bot_left_alone", bot=self.name, seconds=self._open_s)
