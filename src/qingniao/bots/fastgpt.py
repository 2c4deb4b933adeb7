"""FastGPT: one application's chat, its citations, and the dataset behind it.

Asks for the detailed stream, because without it a failure in the middle looks like an empty answer,
and reads it to its end, because the sources come after `[DONE]`. Rule: citations that do not come
soon after a whole answer are missed, not waited for.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from qingniao.bots.base import (
    BotMisconfigured,
    Capabilities,
    FeedbackUnsupported,
    Grounded,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    ReplyTruncated,
    TrainingReport,
    TrainingUnsupported,
)
from qingniao.bots.fastgpt_dataset import Dataset, FoundRow
from qingniao.bots.fastgpt_faults import Complaint, read_fault
from qingniao.bots.fastgpt_reply import FastGPTReply
from qingniao.bots.fields import as_dict, as_text
from qingniao.bots.files import in_words
from qingniao.bots.http import Endpoint, EventStream, bearer
from qingniao.bots.platform import PlatformBot
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["FastGPTBot", "FastGPTSettings"]

TAIL_S: Final = 3.0
"""How long the sources may take once the answer is whole."""


class FastGPTSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One application of one FastGPT. `key` belongs to the application, `dataset_key` to the
    account: only that may write into a dataset."""

    key: str
    base_url: str = "https://api.fastgpt.in/api"
    app: str = ""
    """The application's id, for feedback and the health check; empty: neither."""
    dataset_key: str = ""
    dataset: str = ""
    """The dataset's id, for searching it."""
    collection: str = ""
    """The collection for lessons and nothing else: a training deletes what is none. Empty: this bot
    cannot be trained from here."""
    connect_s: float = 5.0
    idle_s: float = 90.0


class FastGPTBot(PlatformBot):
    """Implements `BotService` and `TakesFeedback`."""

    def __init__(
        self, outgoing: Outgoing, settings: FastGPTSettings, *, name: str = "fastgpt"
    ) -> None:
        self._settings = settings
        super().__init__(self._at(outgoing, settings.key), name)
        self._dataset: Dataset | None = None
        if settings.dataset_key:
            self._dataset = Dataset(
                self._at(outgoing, settings.dataset_key), settings.dataset, settings.collection
            )

    def _at(self, outgoing: Outgoing, key: str) -> Endpoint:
        return Endpoint(
            outgoing,
            self._settings.base_url,
            reading=read_fault,
            headers=bearer(key),
            connect_s=self._settings.connect_s,
            idle_s=self._settings.idle_s,
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True,
            measures_confidence=False,
            cites=True,
            trains=self._dataset is not None and bool(self._settings.collection),
            leaves_house=True,
            reads_files=True,
            remembers=True,
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        reply = FastGPTReply()
        reply.writing.remote = query.remote or _dialogue(query)
        item = secrets.token_hex(12)
        reply.writing.message = f"{reply.writing.remote}/{item}"
        body = {
            "chatId": reply.writing.remote,
            "responseChatItemId": item,
            "stream": True,
            "detail": True,
            "variables": dict(query.variables),
            "messages": [{"role": "user", "content": _content(query)}],
        }
        if query.visitor:
            body["customUid"] = query.visitor
        async with self._endpoint.events("/v1/chat/completions", body) as events:
            yield Grounded()
            until_s: float | None = None
            while (event := await _next(events, until_s)) is not None:
                for told in reply.take(event):
                    yield told
                if reply.is_whole and until_s is None:
                    until_s = asyncio.get_running_loop().time() + TAIL_S
        if not reply.is_whole:
            raise ReplyTruncated
        for told in reply.writing.finish():
            yield told
        yield reply.writing.done()

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """Make the collection hold these lessons and nothing else."""
        if self._dataset is None or not self.capabilities.trains:
            raise TrainingUnsupported("No collection is set: enter one and the account's key.")
        return await self._dataset.replace(lessons)

    async def search(self, text: str) -> list[FoundRow]:
        """What the dataset holds on `text`, best first. Raises `BotError`."""
        if self._dataset is None or not self._settings.dataset:
            raise BotMisconfigured("No dataset is set: enter its id and the account's key.")
        return await self._dataset.search(text)

    async def _look(self) -> Health:
        params = {"appId": self._settings.app} if self._settings.app else {}
        try:
            told = await self._endpoint.call("GET", "/core/chat/init", params=params)
        except Complaint:
            if self._settings.app:
                raise
            # Without an application's id there is nothing to ask for; but somebody is there, and
            # the key was no reason to complain.
            return Health(is_ok=True, detail="Reached; the application was not checked.")
        app = as_dict(as_dict(told.get("data")).get("app"))
        return Health(is_ok=True, detail=as_text(app.get("name")))

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        if not self._settings.app:
            raise FeedbackUnsupported("Enter the application's id, so that ratings can be told.")
        chat, _, item = message.rpartition("/")
        body = {"appId": self._settings.app, "chatId": chat, "dataId": item}
        if verdict == "good":
            body["userGoodFeedback"] = "yes"
        elif verdict == "bad":
            body["userBadFeedback"] = comment or "yes"
        await self._endpoint.call("POST", "/core/chat/feedback/updateUserFeedback", body)


async def _next(events: EventStream, until_s: float | None) -> ServerEvent | None:
    """The next event, or `None` at the end. With `until_s`, by the loop's clock, the answer is
    whole: whatever breaks then, or takes longer, is missed."""
    try:
        async with asyncio.timeout_at(until_s):
            return await anext(events)
    except StopAsyncIteration:
        return None
    except Exception:
        if until_s is None:
            raise
        return None


def _dialogue(query: Query) -> str:
    # Short of 250 characters, and never that of another visitor.
    return f"qingniao-{query.conversation}-{secrets.token_hex(8)}"


def _content(query: Query) -> str | list[dict[str, Any]]:
    # It fetches what it is to look at and takes no uploads here.
    files = [file for file in query.files if file.url]
    query = in_words(query, [file for file in query.files if not file.url])
    if not files:
        return query.whole
    parts: list[dict[str, Any]] = [{"type": "text", "text": query.whole}]
    for file in files:
        if file.media_type.startswith("image/"):
            parts.append({"type": "image_url", "image_url": {"url": file.url}})
        else:
            parts.append({"type": "file_url", "name": file.name, "url": file.url})
    return parts
