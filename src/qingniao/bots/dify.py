"""Dify: chat, agent, chatflow and workflow apps. Owns that wire; its faults are in `dify_faults`.

Always streams: what blocks is cut by proxies in front. Rule: a whole answer ends with
`message_end` (chat) or a `workflow_finished` that did not fail (workflow); everything else that
ends a stream is a failure.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from qingniao.bots.base import (
    Attachment,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    Capabilities,
    ConversationGone,
    Grounded,
    Health,
    InputRequired,
    Lesson,
    Query,
    ReplyEvent,
    ReplyTruncated,
    TrainingReport,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.dify_faults import read_fault, stream_fault
from qingniao.bots.errands import Errands
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded, has_words, says
from qingniao.bots.http import Endpoint, bearer
from qingniao.bots.platform import PlatformBot
from qingniao.bots.writing import Writing
from qingniao.outgoing.client import Outgoing, Upload
from qingniao.outgoing.sse import ServerEvent

__all__ = ["DifyBot", "DifySettings"]

_CHAT_MODES: Final = frozenset({"chat", "agent-chat", "agent", "advanced-chat"})
_ANSWERS: Final = ("text", "answer", "result", "output")
"""Names that people give to a workflow's output, if none was set."""


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
        reply = _Reply(self._settings.app == "workflow", self._settings.answer)
        user = query.user
        try:
            files = [await self._file(file, user) for file in query.files]
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

    async def _file(self, file: Attachment, user: str) -> dict[str, str]:
        kind = file.media_type.partition("/")[0]
        sort = kind if kind in ("image", "audio", "video") else "document"
        if file.url:
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


class _Reply:
    """What one stream has told so far."""

    def __init__(self, is_workflow: bool, answer: str) -> None:
        self._is_workflow = is_workflow
        self._answer = answer
        self._is_agent = False
        self.writing = Writing()
        self.task = ""
        self.has_begun = False
        self.is_whole = False
        self.has_ended = False
        """Nothing is under way there any more."""

    def take(self, event: ServerEvent) -> list[ReplyEvent]:
        """The events that one of theirs becomes."""
        body = decoded(event.data)
        if body is None:
            # A ping, or a line that nobody can read: a sign of life, and no part of an answer.
            return [Working()]
        if task := as_text(body.get("task_id")):
            self.task = task
        if (conversation := as_text(body.get("conversation_id"))) and not self._is_workflow:
            self.writing.remote = conversation
        told: list[ReplyEvent] = []
        told += self._take(as_text(body.get("event")), body)
        return told

    def _take(self, kind: str, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        writing = self.writing
        match kind:
            case "message" | "agent_message":
                writing.message = as_text(body.get("message_id")) or as_text(body.get("id"))
                self._is_agent = self._is_agent or kind == "agent_message"
                if self._is_agent and kind == "message":
                    # After an agent's pieces this is the whole answer once more.
                    return writing.replace(as_text(body.get("answer")))
                return writing.add(as_text(body.get("answer")))
            case "text_chunk":
                return writing.add(as_text(as_dict(body.get("data")).get("text")))
            case "message_replace":
                return writing.replace(as_text(body.get("answer")))
            case "text_replace":
                return writing.replace(as_text(as_dict(body.get("data")).get("text")))
            case "message_file":
                return self._file(body)
            case "message_end":
                self._end(as_dict(body.get("metadata")), body)
                return ()
            case "workflow_finished":
                return self._finished(as_dict(body.get("data")))
            case "human_input_required" | "workflow_paused":
                self.has_ended = True
                raise InputRequired
            case "error":
                self.has_ended = True
                raise stream_fault(body)
            case "node_started":
                return (Working(step=as_text(as_dict(body.get("data")).get("title"))),)
        return (Working(),)

    def _file(self, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        url = as_text(body.get("url"))
        if as_text(body.get("belongs_to")) != "assistant" or not url.startswith("http"):
            return ()
        return self.writing.add(f"\n{url}\n")

    def _end(self, metadata: dict[str, Any], body: dict[str, Any]) -> None:
        writing = self.writing
        writing.message = (
            as_text(body.get("message_id")) or as_text(body.get("id")) or writing.message
        )
        usage = as_dict(metadata.get("usage"))
        writing.prompt_tokens = as_count(usage.get("prompt_tokens"))
        writing.completion_tokens = as_count(usage.get("completion_tokens"))
        writing.cost = _price(usage.get("total_price"))
        writing.currency = as_text(usage.get("currency")) if writing.cost else ""
        for source in map(as_dict, as_list(metadata.get("retriever_resources"))):
            writing.cite(
                as_text(source.get("segment_id")) or as_text(source.get("document_id")),
                as_text(source.get("document_name")) or as_text(source.get("dataset_name")),
                as_text(source.get("content")),
            )
        self.is_whole = self.has_ended = True

    def _finished(self, data: dict[str, Any]) -> Sequence[ReplyEvent]:
        status = as_text(data.get("status"))
        if status == "stopped":
            self.has_ended = True
            raise ReplyTruncated("The workflow was stopped before it had an answer.")
        if not self._is_workflow:
            # A chatflow's answer ends with `message_end`; if it failed, an `error` follows.
            return ()
        self.has_ended = True
        if status == "failed":
            said = as_text(data.get("error"))
            if has_words(said, "quota", "insufficient", "balance"):
                raise BotOverQuota(
                    f"The account of the workflow's model has nothing left.{says(said)}"
                )
            raise BotUnavailable(f"The workflow failed.{says(said)}")
        self.writing.completion_tokens = as_count(data.get("total_tokens"))
        told = self._output(as_dict(data.get("outputs")))
        self.is_whole = True
        return told

    def _output(self, outputs: dict[str, Any]) -> Sequence[ReplyEvent]:
        if self._answer:
            if self._answer not in outputs:
                raise BotMisconfigured(
                    f"The workflow has no output called {self._answer}; it has: "
                    f"{', '.join(sorted(outputs)) or 'none'}."
                )
            return self.writing.replace(as_text(outputs[self._answer]))
        texts = {key: value for key, value in outputs.items() if isinstance(value, str) and value}
        named = next((texts[name] for name in _ANSWERS if name in texts), None)
        if named is not None:
            return self.writing.replace(named)
        if len(texts) == 1:
            return self.writing.replace(next(iter(texts.values())))
        if self.writing.text or not texts:
            return ()
        raise BotMisconfigured(
            f"The workflow has several outputs ({', '.join(sorted(texts))}): choose the answer."
        )


def _price(value: object) -> float:
    try:
        return max(0.0, float(as_text(value) or 0))
    except ValueError:
        return 0.0
