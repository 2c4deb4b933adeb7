"""How tests of bots ask, and what they look at."""

from contextlib import aclosing
from typing import Any

from qingniao.bots.base import BotService, Done, Query, ReplyEvent, Retracted, TextDelta


async def ask(bot: BotService, text: str = "怎么退货？", **more: Any) -> list[ReplyEvent]:
    """Everything that is said, the end included."""
    query = Query(**{"conversation": 7, "text": text, "visitor": "v7"} | more)
    async with aclosing(bot.reply(query)) as events:
        return [event async for event in events]


async def answer(bot: BotService, text: str = "怎么退货？", **more: Any) -> Done:
    """The end; that the pieces join to it is looked at."""
    events = await ask(bot, text, **more)
    done = events[-1]
    assert isinstance(done, Done)
    assert shown(events) == done.text
    return done


def shown(events: list[ReplyEvent]) -> str:
    """What is on the screen."""
    text = ""
    for event in events:
        if isinstance(event, Retracted):
            text = ""
        elif isinstance(event, TextDelta):
            text += event.text
    return text
