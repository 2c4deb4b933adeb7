"""A bot asked by an administrator: how it is, or a question, whole or piece by piece.

Rule: whatever the bot does ends in one `BotTried`; nothing is stored, and no policy stands between.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from qingniao.api.bot_bodies import BotTold, BotTried
from qingniao.bots.base import (
    BotError,
    BotService,
    Citation,
    Done,
    Grounded,
    Query,
    Retracted,
    TextDelta,
    Working,
)
from qingniao.bots.wrappers.deadline import Deadline

__all__ = ["TRY_S", "as_lines", "asked", "failed", "looked", "told"]

TRY_S: Final = 60.0
"""How long a bot may take in a test."""

_lines: Final = msgspec.json.Encoder()


async def looked(bot: BotService) -> BotTried:
    """How it is."""
    started_s = time.perf_counter()
    health = await bot.health()
    took_ms = round((time.perf_counter() - started_s) * 1_000)
    return BotTried(is_ok=health.is_ok, detail=health.detail, took_ms=took_ms)


async def asked(bot: BotService, text: str, locale: str) -> BotTried:
    """The end of its answer."""
    async with aclosing(told(bot, text, locale)) as pieces:
        async for piece in pieces:
            if piece.done is not None:
                return piece.done
    return failed(BotError())


async def told(bot: BotService, text: str, locale: str) -> AsyncGenerator[BotTold]:
    """Its answer as it comes; the last one has `done`, whatever happened."""
    query = Query(conversation=0, text=text, visitor="administrator", locale=locale)
    started_s = time.perf_counter()
    first_ms = 0
    grounded = Grounded()
    try:
        async with aclosing(Deadline(bot, total_s=TRY_S).reply(query)) as events:
            async for event in events:
                match event:
                    case Grounded():
                        grounded = event
                    case TextDelta(text=piece):
                        first_ms = first_ms or _since_ms(started_s)
                        yield BotTold(delta=piece)
                    case Retracted():
                        yield BotTold(retracted=True)
                    case Working(step=step):
                        yield BotTold(working=step)
                    case Done():
                        yield BotTold(done=_whole(event, grounded, first_ms, started_s))
                        return
        yield BotTold(
            done=BotTried(is_ok=False, code="bot_truncated", detail="The answer broke off.")
        )
    except BotError as exc:
        yield BotTold(done=failed(exc, first_ms=first_ms, took_ms=_since_ms(started_s)))


def failed(error: BotError, *, first_ms: int = 0, took_ms: int = 0) -> BotTried:
    """What an error is to an administrator."""
    return BotTried(
        is_ok=False, code=error.code, detail=str(error), first_ms=first_ms, took_ms=took_ms
    )


async def as_lines(pieces: AsyncIterator[BotTold]) -> AsyncIterator[bytes]:
    """One JSON object a line."""
    async for piece in pieces:
        yield _lines.encode(piece) + b"\n"


def _whole(done: Done, grounded: Grounded, first_ms: int, started_s: float) -> BotTried:
    usage = done.usage
    cites: tuple[Citation, ...] = done.citations or grounded.citations
    return BotTried(
        is_ok=True,
        text=done.text,
        citations=[cite.title for cite in cites],
        confidence=grounded.confidence,
        partial=done.partial,
        first_ms=usage.first_ms or first_ms,
        took_ms=usage.took_ms or _since_ms(started_s),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost=usage.cost,
        currency=usage.currency,
        actions=[f"{action.kind}: {action.name}".rstrip(": ") for action in done.actions],
    )


def _since_ms(started_s: float) -> int:
    return max(1, round((time.perf_counter() - started_s) * 1_000))
