"""Dify: chat, agent, chatflow and workflow apps.

Owns what is asked; `dify_reply` reads the answer and `dify_faults` the codes. Rule: it always asks
for a stream, because what blocks is cut by proxies in front.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from qingniao.bots.base import (
    Attachment,
    BotGarbled,
    Capabilities,
    ConversationGone,
    Grounded,
    Health,
    Lesson,
    Query,
    QueryRejected,
    ReplyEvent,
    ReplyTruncated,
    TrainingReport,
    TrainingUnsupported,
)
from qingniao.bots.dify_faults import read_fault
from qingniao.bots.dify_reply import DifyReply
from qingniao.bots.errands import Errands
from qingniao.bots.fields import as_text
from qingniao.bots.files import in_words
from qingniao.bots.http import Endpoint, bearer
from qingniao.bots.platform import PlatformBot
from qingniao.outgoing.client import Outgoing, Upload

__all__ = ["DifyBot", "DifySettings"]

_CHAT_MODES: Final = frozenset({"chat", "agent-chat", "agent", "advanced-chat"})


class DifySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One application of one Dify. `key` belongs to the application (`app-…`)."""

    key: str
    base_url: str = "https://api.dify.ai/v1"
    app: Literal["chat", "workflow"] = "chat"
    question: str = "query"
    """Workflow apps: the input variable that takes what the visitor wrote."""
    answer: str = ""
    """Workflow apps: the output variable that holds the answer; empty: the only text there is."""
    workflow: str = ""
    """Pins a published version; empty: the newest."""
    cites: bool = True
    """The application shows the sources of its answers; new agents, workflows and applications with
    that switched off do not."""
    connect_s: float = 5.0
    idle_s: float = 30.0
    """Dify pings every ten seconds, so silence means that it is gone."""


class DifyBot(PlatformBot):
    """Implements `BotService` and `TakesFeedback`."""

    def __init__(self, outgoing: Outgoing, settings: DifySettings, *, name: str = "dify") -> None:
        self._settings = settings
        self._errands = Errands()
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
        is_chat = self._settings.app == "chat"
        return Capabilities(
            streams=True,
            measures_confidence=False,
            cites=is_chat and self._settings.cites,
            trains=False,
            leaves_house=True,
            reads_files=True,
            remembers=is_chat,
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        reply = DifyReply(self._settings.app == "workflow", self._settings.answer)
        user = query.user
        try:
            query, files = await self._files(query, user)
            conversation = query.remote
            for is_last in (False, True):
                path, body = self._question(query, user, conversation, files)
                try:
                    async with self._endpoint.events(path, body) as events:
                        if not reply.has_begun:
                            reply.has_begun = True
                            yield Grounded()
                        async for event in events:
                            for told in reply.take(event):
                                yield told
                            if reply.is_whole:
                                break
                except ConversationGone:
                    # It was deleted there or has ended: begin a new one, once.
                    if is_last or not conversation:
                        raise
                    conversation = ""
                    continue
                break
            if not reply.is_whole:
                raise ReplyTruncated
            for told in reply.writing.finish():
                yield told
            yield reply.writing.done()
        finally:
            if reply.task and not reply.has_ended:
                self._errands.run(self._stop(reply.task, user))

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        raise TrainingUnsupported("Dify's knowledge is kept in Dify: add it there.")

    async def _look(self) -> Health:
        info = await self._endpoint.call("GET", "/info")
        name, mode = as_text(info.get("name")), as_text(info.get("mode"))
        kind = "chat" if mode in _CHAT_MODES else mode
        if kind and kind != self._settings.app:
            return Health(
                is_ok=False,
                detail=f"The application {name} is of the kind {mode}: choose that kind here.",
            )
        return Health(is_ok=True, detail=name, version=mode)

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        rating = {"good": "like", "bad": "dislike", "none": None}[verdict]
        body = {"rating": rating, "user": visitor, "content": comment}
        await self._endpoint.call("POST", f"/messages/{message}/feedbacks", body)

    async def close(self) -> None:
        await self._errands.close()

    def _question(
        self, query: Query, user: str, conversation: str, files: list[dict[str, str]]
    ) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "inputs": dict(query.variables),
            "user": user,
            "response_mode": "streaming",
        }
        if files:
            body["files"] = files
        workflow = self._settings.workflow
        if self._settings.app == "workflow":
            body["inputs"][self._settings.question] = query.whole
            return (f"/workflows/{workflow}/run" if workflow else "/workflows/run"), body
        # Dify refuses an empty question; a file may come without words.
        body |= {"query": query.whole, "conversation_id": conversation}
        if workflow:
            body["workflow_id"] = workflow
        return "/chat-messages", body

    async def _files(self, query: Query, user: str) -> tuple[Query, list[dict[str, str]]]:
        """What goes along; what Dify does not take is named to it."""
        taken = []
        unseen = []
        for file in query.files:
            if not file.content and not file.url:
                unseen.append(file)
                continue
            try:
                taken.append(await self._file(file, user))
            except QueryRejected:
                unseen.append(file)
        return in_words(query, unseen), taken

    async def _file(self, file: Attachment, user: str) -> dict[str, str]:
        kind = file.media_type.partition("/")[0]
        sort = kind if kind in ("image", "audio", "video") else "document"
        if not file.content:
            return {"type": sort, "transfer_method": "remote_url", "url": file.url}
        upload = Upload(name=file.name, content=file.content, media_type=file.media_type)
        stored = await self._endpoint.call(
            "POST", "/files/upload", upload=upload, form={"user": user}
        )
        number = as_text(stored.get("id"))
        if not number:
            raise BotGarbled("Dify took the file and gave no number for it.")
        return {"type": sort, "transfer_method": "local_file", "upload_file_id": number}

    async def _stop(self, task: str, user: str) -> None:
        place = "workflows/tasks" if self._settings.app == "workflow" else "chat-messages"
        await self._endpoint.call("POST", f"/{place}/{task}/stop", {"user": user})
