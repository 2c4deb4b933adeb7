"""The next one, when one fails. Rule: what the failed one had begun to say is taken back before the
next one speaks; half an answer of one is never joined to another's.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec import structs

from qingniao.bots.base import (
    BotError,
    BotService,
    Capabilities,
    Closing,
    Done,
    Health,
    Query,
    ReplyEvent,
    Retracted,
)
from qingniao.bots.wrappers.base import Wrapper
from qingniao.log import get_logger

__all__ = ["Fallback"]

_SILENCE = "It does not know."

_log = get_logger("bots")


class Fallback(Wrapper):
    """Asks `bots` in order until one answers; raises what the last one raised.

    `on_silence`: a bot that honestly does not know (an empty answer, no action) is passed over too,
    as long as there is another. After a failure the next bot's events follow a `Retracted`, its
    `Grounded` first; its `Done` says who it was, and why. Only the first bot goes by
    `Query.remote`: the others keep dialogues of their own.
    """

    def __init__(self, bots: Sequence[BotService], *, on_silence: bool = False) -> None:
        if not bots:
            raise ValueError("a chain of bots needs at least one")
        super().__init__(bots[0])
        self._bots = tuple(bots)
        self._on_silence = on_silence

    @property
    def capabilities(self) -> Capabilities:
        """Of the first; only what all of them do is promised, and one that leaves the house or
        looks at files is enough to say so."""
        all_of_them = [bot.capabilities for bot in self._bots]
        first = all_of_them[0]
        return structs.replace(
            first,
            cites=all(c.cites for c in all_of_them),
            measures_confidence=all(c.measures_confidence for c in all_of_them),
            leaves_house=any(c.leaves_house for c in all_of_them),
            reads_files=any(c.reads_files for c in all_of_them),
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        instead_of: list[str] = []
        for number, bot in enumerate(self._bots):
            is_last = number == len(self._bots) - 1
            asked = query if number == 0 else structs.replace(query, remote="")
            try:
                async with aclosing(bot.reply(asked)) as events:
                    async for event in events:
                        if isinstance(event, Done):
                            if self._is_silence(event) and not is_last:
                                instead_of.append(f"{bot.name}: {_SILENCE}")
                                break
                            yield event if number == 0 else _of_another(event, bot, instead_of)
                            return
                        yield event
            except BotError as exc:
                if is_last:
                    raise
                instead_of.append(f"{bot.name}: {exc}")
                _log.warning("bot_fell_back", bot=bot.name, to=self._bots[number + 1].name,
                             error=exc.code)  # fmt: skip
            else:
                if is_last:
                    return
            yield Retracted()

    async def health(self) -> Health:
        """Well as long as one of them is; the detail names those that are not."""
        told = [(bot.name, await bot.health()) for bot in self._bots]
        ill = "; ".join(f"{name}: {health.detail}" for name, health in told if not health.is_ok)
        first = told[0][1]
        return Health(
            is_ok=any(health.is_ok for _, health in told),
            detail=ill or first.detail,
            version=first.version,
        )

    async def close(self) -> None:
        for bot in self._bots:
            if isinstance(bot, Closing):
                await bot.close()

    def _is_silence(self, done: Done) -> bool:
        return self._on_silence and not done.text.strip() and not done.actions


def _of_another(done: Done, bot: BotService, instead_of: Sequence[str]) -> Done:
    return structs.replace(
        done, remote="", bot=done.bot or bot.name, instead_of=(*instead_of, *done.instead_of)
    )
