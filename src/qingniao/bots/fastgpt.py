"""FastGPT: one application's chat, its citations, and the dataset behind it.

Asks for the detailed stream, because without it a failure in the middle looks like an empty answer,
and reads it to its end, because the sources come after `[DONE]`. Rule: an answer is whole when the
stream said so by `[DONE]` or a finish reason; citations that do not come then are missed, not
waited for.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from qingniao.bots.base import (
    BotError,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    Capabilities,
    Grounded,
    Health,
    InputRequired,
    Lesson,
    Query,
    QueryRejected,
    ReplyEvent,
    ReplyTruncated,
    TrainingReport,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.fastgpt_dataset import Dataset, FoundRow
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded, has_words, says
from qingniao.bots.http import Endpoint, EventStream, bearer, by_status
from qingniao.bots.platform import PlatformBot
from qingniao.bots.writing import Writing
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["FastGPTBot", "FastGPTSettings", "read_fault"]

TAIL_S: Final = 3.0
"""How long the sources may take once the answer is whole."""

_KEY: Final = (
    "FastGPT does not accept the key: it begins with fastgpt- and belongs to one application."
)


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
    """The collection that lessons are pushed into; empty: this bot cannot be trained from here."""
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
        reply = _Reply()
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
        """Push the lessons into the collection. FastGPT adds and leaves out what it has already;
        what was pushed before and is no lesson any more has to be deleted there."""
        if self._dataset is None or not self.capabilities.trains:
            raise TrainingUnsupported("No collection is set: enter one and the account's key.")
        return await self._dataset.push(lessons)

    async def search(self, text: str) -> list[FoundRow]:
        """What the dataset holds on `text`, best first. Raises `BotError`."""
        if self._dataset is None or not self._settings.dataset:
            raise BotMisconfigured("No dataset is set: enter its id and the account's key.")
        return await self._dataset.search(text)

    async def _look(self) -> Health:
        params = {"appId": self._settings.app} if self._settings.app else {}
        try:
            told = await self._endpoint.call("GET", "/core/chat/init", params=params)
        except _Complaint:
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
    files = [file for file in query.files if file.url]
    if not files:
        return query.whole
    parts: list[dict[str, Any]] = [{"type": "text", "text": query.whole}]
    for file in files:
        if file.media_type.startswith("image/"):
            parts.append({"type": "image_url", "image_url": {"url": file.url}})
        else:
            parts.append({"type": "file_url", "name": file.name, "url": file.url})
    return parts


class _Reply:
    """What one stream has told so far."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.is_whole = False

    def take(self, event: ServerEvent) -> Sequence[ReplyEvent]:
        """The events that one of theirs becomes."""
        if event.data.strip() == "[DONE]":
            self.is_whole = True
            return ()
        if event.name in ("flowResponses", "flowNodeResponse"):
            self._sources(event.data)
            return ()
        body = decoded(event.data)
        if body is None:
            return (Working(),)
        match event.name:
            case "" | "answer" | "fastAnswer" | "json":
                return self._answer(body)
            case "error":
                raise read_fault(500, body, 0.0) or BotUnavailable("FastGPT failed inside.")
            case "interactive":
                return self._ask(as_dict(body.get("interactive")))
            case "flowNodeStatus":
                return (Working(step=as_text(body.get("name"))),)
        return (Working(),)

    def _answer(self, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        if "choices" not in body and (fault := read_fault(200, body, 0.0)):
            raise fault
        if "error" in body:
            raise read_fault(500, as_dict(body["error"]), 0.0) or BotUnavailable()
        told: list[ReplyEvent] = []
        for choice in map(as_dict, as_list(body.get("choices"))[:1]):
            delta = as_dict(choice.get("delta")) or as_dict(choice.get("message"))
            content = delta.get("content")
            if isinstance(content, list):
                told += self._parts(content)
            else:
                told += self.writing.add(as_text(content))
            if choice.get("finish_reason"):
                self.is_whole = True
                self.writing.partial |= choice["finish_reason"] == "length"
        self._cite(as_list(body.get("responseData")))
        return told or (Working(),)

    def _parts(self, parts: list[Any]) -> Sequence[ReplyEvent]:
        told: list[ReplyEvent] = []
        for part in map(as_dict, parts):
            if part.get("type") == "interactive":
                told += self._ask(as_dict(part.get("interactive")))
            else:
                text = part.get("text")
                told += self.writing.add(
                    as_text(as_dict(text).get("content")) if isinstance(text, dict)
                    else as_text(text)
                )  # fmt: skip
        return told

    def _ask(self, interactive: dict[str, Any]) -> Sequence[ReplyEvent]:
        """A choice is offered as buttons, and what the visitor says next goes on from there. A form
        of several fields is beyond a chat."""
        params = as_dict(interactive.get("params"))
        options = [
            as_text(as_dict(o).get("value")) for o in as_list(params.get("userSelectOptions"))
        ]
        if interactive.get("type") != "userSelect" or not any(options):
            raise InputRequired
        self.writing.options += options
        self.is_whole = True
        described = as_text(params.get("description"))
        # The stream ends here as a whole: the application rests until somebody chooses.
        between = "\n\n" if self.writing.text and described else ""
        return self.writing.add(between + described)

    def _sources(self, data: str) -> None:
        if data.lstrip().startswith("["):
            wrapped = decoded(f'{{"all":{data}}}') or {}
            self._cite(as_list(wrapped.get("all")))
        else:
            self._cite([decoded(data) or {}])

    def _cite(self, modules: list[Any]) -> None:
        for module in map(as_dict, modules):
            for quote in map(as_dict, as_list(module.get("quoteList"))):
                asked, answer = as_text(quote.get("q")), as_text(quote.get("a"))
                self.writing.cite(
                    as_text(quote.get("id")),
                    as_text(quote.get("sourceName")) or asked[:40],
                    answer or asked,
                )
            self.writing.prompt_tokens += as_count(module.get("inputTokens"))
            self.writing.completion_tokens += as_count(module.get("outputTokens"))
            if "inputTokens" not in module:
                self.writing.completion_tokens += as_count(module.get("tokens"))
            self._cite(as_list(module.get("pluginDetail")) + as_list(module.get("toolDetail")))


class _Complaint(BotError):
    """FastGPT refuses, and neither the key nor the machine is the reason."""

    code = "bot_refused"


def read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    """What a body means; FastGPT answers HTTP 500 whatever is wrong. `None` if it is no error."""
    code = body.get("code")
    word = as_text(body.get("statusText"))
    said = as_text(body.get("message")) or word
    if status < 400 and (code in (None, 200) or ("data" in body and not word)):
        return None
    if has_words(
        f"{word} {said}", "quota", "notenough", "not enough", "insufficient", "余额", "不足"
    ):
        return BotOverQuota(f"The account at FastGPT has nothing left.{says(said)}")
    match code:
        case 403 | 514:
            return BotMisconfigured(_KEY + says(said))
        case 510:
            return BotOverQuota(f"The account at FastGPT has nothing left.{says(said)}")
        case 511:
            return BotMisconfigured(f"FastGPT may not use this application's model.{says(said)}")
        case 513:
            return QueryRejected(f"FastGPT may not read this file.{says(said)}")
        case int() if 500_000 <= code < 502_000:
            return BotMisconfigured(f"FastGPT refuses: look at its team and dataset.{says(said)}")
        case int() if code < 500 or code >= 520:
            return _Complaint(f"FastGPT refuses.{says(said)}")
    if status in (200, 500):
        return BotUnavailable(f"FastGPT failed inside.{says(said)}")
    return by_status("FastGPT", status, wait_s, said)
