"""Listening to a bot: pieces to the draft, the end to the flow. Owns deadlines and takeover.

Rule: only a reply with its `Done` is an answer. Whatever else happens (an error, silence, an
iterator that just stops, a person who takes the conversation), what was shown is taken back.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from qingniao.bots.base import (
    Action,
    BotError,
    BotService,
    BotTimeout,
    Citation,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    Retracted,
    TextDelta,
)
from qingniao.flow.effects import AskBot
from qingniao.flow.events import Answered, BotFailed, Cite, TimedOut, Wish
from qingniao.log import get_logger
from qingniao.workers.drafts import Draft

__all__ = ["MAX_ANSWER_CHARS", "Listener", "Taken", "Timer"]

MAX_ANSWER_CHARS: Final = 16_000
"""A bot that writes more than this has lost the thread."""

LOOK_EVERY_S: Final = 0.25
"""How soon a takeover is noticed while the bot is silent."""

MAX_WISHES: Final = 8
"""Of one answer; the others are let go."""

WISH_CHARS: Final = 80
REASON_CHARS: Final = 200

STOP_S: Final = 1.0
"""How long a bot may take to stop."""

LENIENCE: Final = 1.1
"""A bot under a policy is told the flow's bounds and says by itself that it was too slow, so that
its breaker learns of it and the next of its chain is asked. Whoever does not is cut off a little
later."""

Timer = Callable[[], float]
"""Monotonic seconds."""

_log = get_logger("workers")


class Taken(Struct, frozen=True):
    """The conversation is no longer the bot's."""


class Listener:
    """Hears one reply out. `is_ours` says whether the conversation is still the bot's."""

    def __init__(
        self,
        ask: AskBot,
        draft: Draft,
        is_ours: Callable[[], Awaitable[bool]],
        timer: Timer = time.perf_counter,
    ) -> None:
        self._ask = ask
        self._draft = draft
        self._is_ours = is_ours
        self._timer = timer
        self._grounded = Grounded()
        self._shows = True
        self._chars = 0
        self.message = ""
        """What the platform calls the answer that was heard; empty if it has no name for it."""
        self.instead_of: tuple[str, ...] = ()
        """Which bots of the chain were asked before, and why they gave no answer."""

    async def hear(self, bot: BotService, query: Query) -> Answered | BotFailed | TimedOut | Taken:
        """Ask and listen to the end. Never raises for anything a bot does."""
        heard: Answered | BotFailed | TimedOut | Taken
        reply: AsyncGenerator[ReplyEvent] | None = None
        try:
            reply = bot.reply(query)
            heard = await self._hear(bot.name, reply)
        except BotTimeout:
            heard = TimedOut()
        except BotError as exc:
            heard = BotFailed(reason=str(exc), bot=bot.name)
        except StopAsyncIteration:
            heard = BotFailed(reason="The reply stopped without an end.", bot=bot.name)
        except Exception as exc:  # a bot may be a plugin: its faults are not the visitor's
            _log.error("bot_raised", exc=exc, bot=bot.name)
            heard = BotFailed(reason="The bot failed inside.", bot=bot.name)
        finally:
            if reply is not None:
                await _stop(reply)
        if not isinstance(heard, Answered):
            self._draft.take_back()
        return heard

    async def _hear(
        self, name: str, reply: AsyncGenerator[ReplyEvent]
    ) -> Answered | BotFailed | TimedOut | Taken:
        started = self._timer()
        deadline = started + self._ask.deadline_s * LENIENCE
        while True:
            event = await self._next(reply, deadline)
            if isinstance(event, TimedOut | Taken):
                return event
            if isinstance(event, Done):
                return self._whole(name, event, self._timer() - started)
            if isinstance(event, Grounded):
                self._grounded = event
                sure = event.confidence
                self._shows = sure is None or sure >= self._ask.floor
            elif isinstance(event, Retracted):
                self._chars = 0
                self._draft.take_back()
            elif isinstance(event, TextDelta) and not await self._show(event):
                return Taken()
            if self._chars > MAX_ANSWER_CHARS:
                return BotFailed(reason="The answer never came to an end.", bot=name)

    async def _next(
        self, reply: AsyncGenerator[ReplyEvent], deadline_s: float
    ) -> ReplyEvent | TimedOut | Taken:
        """The next event, while watching the clock, the draft and the conversation."""
        coming = asyncio.ensure_future(anext(reply))
        until_s = min(self._timer() + self._ask.idle_s * LENIENCE, deadline_s)
        try:
            while True:
                now_s = self._timer()
                if now_s >= until_s:
                    return TimedOut()
                wait_s = min(until_s - now_s, LOOK_EVERY_S, self._draft.due_in_s(now_s))
                done, _ = await asyncio.wait({coming}, timeout=wait_s)
                if done:
                    return coming.result()
                if not await self._is_ours():
                    return Taken()
                if self._draft.due_in_s(now_s := self._timer()) <= 0.0:
                    self._draft.flush(now_s)
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming}, timeout=STOP_S)
            elif not coming.cancelled():
                coming.exception()  # looked at, so that the loop does not report it as lost

    async def _show(self, piece: TextDelta) -> bool:
        """Show a piece, now or soon. False if the conversation has been taken."""
        self._chars += len(piece.text)
        if not self._shows:
            return True
        self._draft.add(piece.text)
        now_s = self._timer()
        if self._draft.due_in_s(now_s) > 0.0:
            return True
        if not await self._is_ours():
            return False
        self._draft.flush(now_s)
        return True

    def _whole(self, name: str, done: Done, took_s: float) -> Answered | BotFailed:
        if len(done.text) > MAX_ANSWER_CHARS:
            return BotFailed(reason="The answer is too long to be one.", bot=name)
        self.message, self.instead_of = done.message, done.instead_of
        return Answered(
            text=done.text,
            bot=done.bot or name,
            confidence=self._grounded.confidence,
            cites=_cites(done.citations or self._grounded.citations),
            options=done.options,
            partial=done.partial,
            took_ms=round(took_s * 1000),
            version=done.version,
            dialogue=done.remote,
            wishes=_wishes(done.actions),
        )


def _wishes(actions: tuple[Action, ...]) -> tuple[Wish, ...]:
    return tuple(
        Wish(
            kind=one.kind[:WISH_CHARS],
            name=one.name[:WISH_CHARS],
            reason=one.reason[:REASON_CHARS],
        )
        for one in actions[:MAX_WISHES]
    )


def _cites(citations: tuple[Citation, ...]) -> tuple[Cite, ...]:
    return tuple(Cite(id=c.id, title=c.title, quote=c.quote) for c in citations)


async def _stop(reply: AsyncGenerator[ReplyEvent]) -> None:
    """Close the generator, whatever it says; one that does not stop is left to the collector."""
    with suppress(Exception):
        async with asyncio.timeout(STOP_S):
            await reply.aclose()
