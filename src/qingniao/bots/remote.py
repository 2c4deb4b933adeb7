"""A bot that is a service of its own, in any language, behind HTTP. Owns our wire for that.

    POST {base}/reply    a `Query` as JSON → server-sent events, each a `ReplyEvent` as JSON
    POST {base}/train    {"lessons": […]} → a `TrainingReport`
    POST {base}/feedback {"message", "visitor", "verdict", "comment"} → anything
    GET  {base}/health   → a `Health`

docs/howto/write-a-bot.md is for those who write the other end. Rule: the other end may be careless:
what it leaves out is supplied, what it invents is skipped, and an answer without `done` is none.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs

from qingniao.bots import base
from qingniao.bots.base import (
    BotError,
    BotGarbled,
    BotUnavailable,
    Capabilities,
    Done,
    FeedbackUnsupported,
    Grounded,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    ReplyTruncated,
    Retracted,
    TextDelta,
    TrainingReport,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.fields import as_text
from qingniao.bots.http import Endpoint, bearer, by_status
from qingniao.bots.platform import PlatformBot
from qingniao.bots.writing import Writing
from qingniao.outgoing.client import Outgoing

__all__ = [
    "FAULTS",
    "Failed",
    "RemoteBot",
    "RemoteSettings",
    "SentFeedback",
    "SentLesson",
    "read_fault",
]


FAULTS: Final[dict[str, type[BotError]]] = {
    cls.code: cls
    for cls in (
        base.BotUnavailable,
        base.BotTimeout,
        base.BotBusy,
        base.ReplyTruncated,
        base.BotMisconfigured,
        base.BotOverQuota,
        base.BotOverBudget,
        base.BotGarbled,
        base.InputRequired,
        base.QueryRejected,
        base.TrainingUnsupported,
        base.FeedbackUnsupported,
    )
}
"""The words for errors on the wire."""


class Failed(Struct, frozen=True, kw_only=True, tag="error"):
    """The last event of a reply that has failed; `code` is one of `FAULTS`."""

    code: str = "bot_unavailable"
    text: str = ""
    retry_after_s: float = 0.0

    def as_error(self) -> BotError:
        """The exception that it stands for."""
        if self.code == base.BotBusy.code:
            return base.BotBusy(self.text or None, retry_after_s=self.retry_after_s)
        return FAULTS.get(self.code, BotUnavailable)(self.text or None)


class SentLesson(Struct, frozen=True, kw_only=True):
    """A lesson as it travels."""

    id: str
    question: str
    answer: str
    title: str = ""
    alternatives: tuple[str, ...] = ()
    category: str = ""


class SentFeedback(Struct, frozen=True, kw_only=True):
    """What a visitor thinks of an answer, as it travels; `message` is the answer's `Done.message`,
    and the verdict `none` takes an earlier one back."""

    message: str
    visitor: str
    verdict: Literal["good", "bad", "none"]
    comment: str = ""


class RemoteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service is, and what it promises."""

    base_url: str
    key: str = ""
    """Sent as a bearer token; empty: none."""
    measures_confidence: bool = False
    cites: bool = False
    trains: bool = False
    acts: bool = False
    reads_files: bool = False
    remembers: bool = False
    takes_feedback: bool = False
    connect_s: float = 5.0
    idle_s: float = 60.0


_Event = Grounded | TextDelta | Retracted | Working | Done | Failed
_EVENTS: Final[msgspec.json.Decoder[_Event]] = msgspec.json.Decoder(_Event)


class RemoteBot(PlatformBot):
    """Implements `BotService` and `TakesFeedback`."""

    def __init__(
        self, outgoing: Outgoing, settings: RemoteSettings, *, name: str = "remote"
    ) -> None:
        self._settings = settings
        endpoint = Endpoint(
            outgoing,
            settings.base_url,
            reading=read_fault,
            headers=bearer(settings.key),
            connect_s=settings.connect_s,
            idle_s=settings.idle_s,
        )
        super().__init__(endpoint, name)

    @property
    def capabilities(self) -> Capabilities:
        told = self._settings
        return Capabilities(
            streams=True,
            measures_confidence=told.measures_confidence,
            cites=told.cites,
            trains=told.trains,
            leaves_house=True,
            acts=told.acts,
            reads_files=told.reads_files,
            remembers=told.remembers,
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        writing = Writing()
        is_grounded = False
        async with self._endpoint.events("/reply", query) as events:
            async for event in events:
                told = _read(event.data)
                if not is_grounded:
                    is_grounded = True
                    if not isinstance(told, Grounded):
                        yield Grounded()
                match told:
                    case Failed():
                        raise told.as_error()
                    case Done():
                        # Whoever sends only the end has still said it; the pieces are ours to make.
                        for piece in writing.replace(told.text):
                            yield piece
                        # Whose answer it is is for chains of our own to say.
                        yield structs.replace(told, bot="", instead_of=())
                        return
                    case TextDelta(text=text):
                        for piece in writing.add(text):
                            yield piece
                    case Retracted():
                        for piece in writing.replace(""):
                            yield piece
                    case _:
                        yield told
        raise ReplyTruncated

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        if not self._settings.trains:
            raise TrainingUnsupported
        sent = [
            SentLesson(
                id=each.id, question=each.question, answer=each.answer, title=each.title,
                alternatives=tuple(each.alternatives), category=each.category,
            )
            for each in lessons
        ]  # fmt: skip
        told = await self._endpoint.call("POST", "/train", {"lessons": sent})
        try:
            return msgspec.convert(told, TrainingReport)
        except msgspec.ValidationError as exc:
            raise BotGarbled("The bot did not say what it has learnt.") from exc

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        if not self._settings.takes_feedback:
            raise FeedbackUnsupported
        sent = SentFeedback(message=message, visitor=visitor, verdict=verdict, comment=comment)
        await self._endpoint.call("POST", "/feedback", sent)

    async def _look(self) -> Health:
        told = await self._endpoint.call("GET", "/health")
        try:
            return msgspec.convert(told, Health)
        except msgspec.ValidationError as exc:
            raise BotGarbled(f"{self._endpoint.host} does not say how it is.") from exc


def _read(data: str) -> _Event:
    if not data:
        return Working()
    try:
        return _EVENTS.decode(data)
    except msgspec.ValidationError as exc:
        if "Invalid value" in str(exc) and "$.type" in str(exc):
            return Working()  # an event of a later version
        raise BotGarbled(f"The bot sent an event that cannot be read: {exc}") from exc
    except msgspec.DecodeError as exc:
        raise BotGarbled("The bot sent an event that is not JSON.") from exc


def read_fault(status: int, body: dict[str, object], wait_s: float) -> BotError | None:
    """What an answer's status and body mean; `None` if it is no error."""
    if status < 400:
        return None
    code, text = as_text(body.get("code")), as_text(body.get("text"))
    if code in FAULTS:
        return Failed(code=code, text=text, retry_after_s=wait_s).as_error()
    return by_status("The bot", status, wait_s, text)
