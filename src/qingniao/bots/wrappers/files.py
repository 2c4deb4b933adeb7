"""Files for a bot that does not look at any. Rule: it is told their names, and is sent nothing of
them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from qingniao.bots.base import BotService, Query, ReplyEvent
from qingniao.bots.files import in_words
from qingniao.bots.wrappers.base import Wrapper

__all__ = ["FilesInWords"]


class FilesInWords(Wrapper):
    """Names what a bot without `Capabilities.reads_files` would leave unseen."""

    def __init__(self, inner: BotService) -> None:
        super().__init__(inner)
        self._reads_files = inner.capabilities.reads_files

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        asked = query if self._reads_files else in_words(query, query.files)
        async with aclosing(self._inner.reply(asked)) as events:
            async for event in events:
                yield event
