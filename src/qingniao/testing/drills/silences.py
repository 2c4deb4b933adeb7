"""How long somebody who keeps trying heard nothing: no ack, no words of the other side, no answer
of the bot, no word at all.

Owns the worst of each; refuses to judge them. Rule: a silence is one person's, in one conversation;
that others were served meanwhile does not shorten it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from qingniao.testing.load import Load
from qingniao.testing.seat import Seat, until

__all__ = ["Silences"]

_LOOK_S: Final = 0.02
_BACK_S: Final = 60.0


class Silences:
    """Over everybody of a load, while they talk. Figures are seconds."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.ack_s = 0.0
        """The longest that somebody who sends waited for an ack of anything."""
        self.delivery_s = 0.0
        """The longest that nothing reached somebody from the other side, who sends too."""
        self.answer_s = 0.0
        """The longest that a visitor who goes on asking saw no answer of the bot."""
        self.unheard_s = 0.0
        """The longest that somebody was connected and heard neither ack, busy, error nor bye."""

    @contextlib.asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Of the body, and until everybody is served again afterwards. Raises `TimeoutError` with
        the names of those who are not."""
        began = time.monotonic()
        looking = asyncio.create_task(self._look(began))
        try:
            yield
            await self._everybody_is_served(time.monotonic())
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self, began: float) -> None:
        while True:
            now = time.monotonic()
            for seat in self._senders():
                self.ack_s = max(self.ack_s, now - max(began, seat.last_ack_at))
                if seat.is_connected:
                    self.unheard_s = max(self.unheard_s, now - max(began, seat.told_at))
            for at in (seat.delivered_at.get(c, 0.0) for c, seat in self._hearers()):
                self.delivery_s = max(self.delivery_s, now - max(began, at))
            for at in (seat.answered_at.get(c, 0.0) for c, seat in self._askers()):
                self.answer_s = max(self.answer_s, now - max(began, at))
            await asyncio.sleep(_LOOK_S)

    def _senders(self) -> list[Seat]:
        owners = {seat.name: seat for seat in self._load.owned.values()}
        return [*self._load.visitors.values(), *owners.values()]

    def _hearers(self) -> list[tuple[int, Seat]]:
        """(conversation, who hears the other side there)."""
        visitors, owned = self._load.visitors, self._load.owned
        return [pair for c in owned for pair in ((c, visitors[c]), (c, owned[c]))]

    def _askers(self) -> list[tuple[int, Seat]]:
        owned = self._load.owned
        return [(c, seat) for c, seat in self._load.visitors.items() if c not in owned]

    async def _everybody_is_served(self, since: float) -> None:
        def missing() -> list[str]:
            acked = ((f"{seat.name} gets no ack", seat.last_ack_at) for seat in self._senders())
            heard = (
                (f"nothing reaches {seat.name} in {c}", seat.delivered_at.get(c, 0.0))
                for c, seat in self._hearers()
            )
            answered = (
                (f"the bot does not answer {seat.name}", seat.answered_at.get(c, 0.0))
                for c, seat in self._askers()
            )
            return [words for words, at in (*acked, *heard, *answered) if at <= since]

        try:
            await until(lambda: not missing(), _BACK_S)
        except TimeoutError:
            raise TimeoutError(f"{_BACK_S:g} s after it was over: {'; '.join(missing())}") from None
