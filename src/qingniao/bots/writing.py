"""An answer while it is written. Owns its text and what it has cost so far; refuses to ask anybody.

Rule: the pieces handed out since the last `Retracted` join to `text`, whatever the platform does:
what it repeats, replaces or thinks aloud becomes the events that make it so.
"""

import time
from typing import Final

from qingniao.bots.base import (
    Action,
    BotGarbled,
    Citation,
    Done,
    Retracted,
    TextDelta,
    Usage,
)

__all__ = ["MAX_CHARS", "Writing"]

MAX_CHARS: Final = 64_000
"""A bot that writes more than this has lost the thread."""

LOOP_CHARS: Final = 1_200
"""So much of nothing but repetition is a model that has got stuck."""

TWICE_CHARS: Final = 30
"""From this length on nobody says the same twice on purpose."""

LOOP_TIMES: Final = 8
QUOTE_CHARS: Final = 200
MAX_CITATIONS: Final = 20

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class Writing:
    """One answer. Give it what comes in, hand out the events that come back."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first_ms = 0
        self._pieces: list[str] = []
        self._chars = 0
        self._look_at = LOOP_CHARS
        self._held: str | None = ""
        """What may be the beginning of a thought; `None` once the answer itself has begun."""
        self._thinks = self._has_thought = False
        self._citations: dict[str, Citation] = {}
        self.options: list[str] = []
        self.actions: list[Action] = []
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost = 0.0
        self.currency = ""
        self.remote = ""
        self.message = ""
        self.partial = False

    @property
    def text(self) -> str:
        """Everything so far."""
        return "".join(self._pieces)

    def add(self, piece: str) -> list[TextDelta]:
        """The next piece, without what a model thinks aloud at the beginning (`<think>`)."""
        if self._held is not None:
            piece = self._unthought(piece)
        if not piece:
            return []
        if not self._first_ms:
            self._first_ms = max(1, self._elapsed_ms())
        self._chars += len(piece)
        if self._chars > MAX_CHARS:
            raise BotGarbled("The answer never comes to an end.")
        self._pieces.append(piece)
        if self._chars >= self._look_at:
            self._look_at = self._chars + LOOP_CHARS // 2
            if _loops(self.text[-LOOP_CHARS:]):
                raise BotGarbled("The bot repeats itself without an end.")
        return [TextDelta(text=piece)]

    def replace(self, text: str) -> list[TextDelta | Retracted]:
        """From now on the answer is `text`: the rest if that continues it, otherwise all anew."""
        now = self.text
        text = _without_thought(text)
        if text == now:
            return []
        if now and text.startswith(now):
            return list(self.add(text[len(now) :]))
        events: list[TextDelta | Retracted] = []
        if now:
            events.append(Retracted())
        self._pieces.clear()
        self._chars = 0
        self._look_at = LOOP_CHARS
        self._held = None
        self._thinks = False
        events += self.add(text)
        return events

    def finish(self) -> list[TextDelta | Retracted]:
        """Nothing more comes: what was held back as the possible beginning of a thought, and the
        answer once if the platform gave it twice."""
        held, self._held = self._held, None
        told: list[TextDelta | Retracted] = []
        if held and not self._thinks:
            told += self.add(held)
        text = self.text
        half = text[: len(text) // 2]
        if len(half) >= TWICE_CHARS and half + half == text:
            told += self.replace(half)
        return told

    def cite(self, id: str, title: str, quote: str = "") -> None:
        """Name a source, once."""
        title = title.strip()
        id = id or title
        if not id or id in self._citations or len(self._citations) >= MAX_CITATIONS:
            return
        quote = quote.strip()
        if len(quote) > QUOTE_CHARS:
            quote = quote[: QUOTE_CHARS - 1] + "…"
        self._citations[id] = Citation(id=id, title=title or id, quote=quote)

    def done(self) -> Done:
        """The end, with everything that was gathered. Hand out `finish()` before."""
        return Done(
            text=self.text,
            usage=Usage(
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                took_ms=self._elapsed_ms(),
                first_ms=self._first_ms,
                cost=self.cost,
                currency=self.currency,
            ),
            options=tuple(dict.fromkeys(o.strip() for o in self.options if o.strip())),
            citations=tuple(self._citations.values()),
            partial=self.partial,
            remote=self.remote,
            actions=tuple(self.actions),
            message=self.message,
        )

    def _elapsed_ms(self) -> int:
        return round((time.perf_counter() - self._started) * 1000)

    def _unthought(self, piece: str) -> str:
        held = (self._held or "") + piece
        if not self._thinks:
            start = held.lstrip()
            if _OPEN.startswith(start[: len(_OPEN)]) and len(start) < len(_OPEN):
                self._held = held
                return ""
            if not start.startswith(_OPEN):
                self._held = None
                return start if self._has_thought else held
            self._thinks = self._has_thought = True
            held = start[len(_OPEN) :]
        thought, closed, rest = held.partition(_CLOSE)
        if not closed:
            # Of a thought only as much is kept as may be the beginning of its end.
            self._held = thought[-len(_CLOSE) :]
            return ""
        self._held = None
        self._thinks = False
        if not rest.strip():
            self._held = ""
            return ""
        return rest.lstrip()


def _loops(tail: str) -> bool:
    """Is it one thing over and over, at least `LOOP_TIMES` times?"""
    end = tail[-24:]
    before = tail.rfind(end, 0, len(tail) - 1)
    period = len(tail) - len(end) - before
    return before >= 0 and period * LOOP_TIMES <= len(tail) and tail[period:] == tail[:-period]


def _without_thought(text: str) -> str:
    start = text.lstrip()
    if not start.startswith(_OPEN):
        return text
    return start.partition(_CLOSE)[2].lstrip()
