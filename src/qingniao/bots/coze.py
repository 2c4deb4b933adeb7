"""Coze (扣子) v3 chat, as a stream or by asking again; both sites and a studio of one's own.

Owns that wire; refuses its tools, for which nobody here answers. Rule: an answer is whole when the
chat is `completed`; what a message said at its end replaces what its pieces said.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Literal
from urllib.parse import quote

import msgspec
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
from qingniao.bots.coze_auth import CozeApp, JwtTokens, PersonalToken, Tokens
from qingniao.bots.coze_faults import (
    BadToken,
    NotUnderstood,
    UnknownCode,
    read_fault,
)
from qingniao.bots.coze_reply import CozeReply
from qingniao.bots.errands import Errands
from qingniao.bots.fields import as_dict, as_list, as_text
from qingniao.bots.files import in_words
from qingniao.bots.http import Endpoint, EventStream, bearer
from qingniao.bots.platform import PlatformBot
from qingniao.outgoing.client import Outgoing, Upload

__all__ = ["CozeBot", "CozeSettings"]


class CozeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published bot. Either `token` (a personal one) or `app` (OAuth by JWT).

    `base_url` is https://api.coze.cn, https://api.coze.com or a studio of one's own.
    """

    bot: str
    token: str = ""
    app: CozeApp | None = None
    base_url: str = "https://api.coze.cn"
    streams: bool = True
    """False: ask for the answer again and again, where a proxy does not let streams through."""
    poll_s: float = 1.0
    """Between two such questions; Coze wants no more than one a second."""
    connect_s: float = 5.0
    idle_s: float = 90.0


class CozeBot(PlatformBot):
    """Implements `BotService` and `TakesFeedback`."""

    def __init__(self, outgoing: Outgoing, settings: CozeSettings, *, name: str = "coze") -> None:
        self._settings = settings
        self._errands = Errands()
        self._tokens: Tokens
        if settings.app is not None:
            self._tokens = JwtTokens(
                outgoing, settings.base_url, settings.app, connect_s=settings.connect_s
            )
        else:
            self._tokens = PersonalToken(settings.token)
        endpoint = Endpoint(
            outgoing,
            settings.base_url,
            reading=read_fault,
            connect_s=settings.connect_s,
            idle_s=settings.idle_s,
        )
        super().__init__(endpoint, name)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=self._settings.streams,
            measures_confidence=False,
            cites=False,
            trains=False,
            leaves_house=True,
            reads_files=True,
            remembers=True,
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        reply = CozeReply()
        try:
            async with aclosing(self._stream(reply, query)) as events:
                async for event in events:
                    yield event
            while reply.must_poll:
                for told in await self._poll(reply):
                    yield told
            if not reply.is_whole:
                raise ReplyTruncated
            for told in reply.writing.finish():
                yield told
            yield reply.writing.done()
        finally:
            if reply.chat and not reply.has_ended:
                self._errands.run(self._cancel(reply.conversation, reply.chat))

    async def _stream(self, reply: CozeReply, query: Query) -> AsyncGenerator[ReplyEvent]:
        """Ask, and hear what comes at once; again with what can be mended: a token that ended
        before its time, and a dialogue that was deleted there."""
        body = await self._question(query)
        conversation = query.remote
        has_renewed = False
        while True:
            token = await self._tokens.token()
            try:
                async with self._chat(body, conversation, token) as events:
                    if not reply.has_begun:
                        reply.has_begun = True
                        yield Grounded()
                    async for event in events:
                        for told in reply.take(event):
                            yield told
                        if reply.is_whole or reply.must_poll:
                            return
                return
            except BadToken:
                if has_renewed or reply.writing.text or not self._tokens.refused(token):
                    raise
                has_renewed = True
            except ConversationGone:
                if not conversation:
                    raise
                conversation = ""

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        raise TrainingUnsupported("Coze's knowledge is kept in Coze: add it there.")

    async def _look(self) -> Health:
        where = {"bot_id": self._settings.bot}
        try:
            told = await self._call("GET", "/v1/bot/get_online_info", params=where)
        except (NotUnderstood, UnknownCode):
            # Not every version knows this question; that it says so proves that the token is good.
            return Health(is_ok=True, detail="The token is accepted; the bot was not looked at.")
        data = as_dict(told.get("data"))
        return Health(
            is_ok=True, detail=as_text(data.get("name")), version=as_text(data.get("version"))
        )

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        conversation, _, number = message.partition("/")
        path = f"/v1/conversations/{conversation}/messages/{number}/feedback"
        if verdict == "none":
            await self._call("DELETE", path)
            return
        kind = "like" if verdict == "good" else "unlike"
        body = {"feedback_type": kind, "reason_types": [], "comment": comment}
        await self._call("POST", path, body)

    async def close(self) -> None:
        await self._errands.close()

    def _chat(
        self, body: dict[str, Any], conversation: str, token: str
    ) -> AbstractAsyncContextManager[EventStream]:
        path = f"/v3/chat?conversation_id={quote(conversation)}" if conversation else "/v3/chat"
        return self._endpoint.events(path, body, headers=bearer(token))

    async def _question(self, query: Query) -> dict[str, Any]:
        taken: list[dict[str, str]] = []
        unseen = []
        for file in query.files:
            try:
                if not file.content and not file.url:
                    raise QueryRejected
                taken.append(await self._file(file))
            except QueryRejected:
                unseen.append(file)
        query = in_words(query, unseen)
        content, kind = query.whole, "text"
        if taken:
            parts = [{"type": "text", "text": content}, *taken]
            content, kind = msgspec.json.encode(parts).decode(), "object_string"
        asked = {"role": "user", "type": "question", "content": content, "content_type": kind}
        return {
            "bot_id": self._settings.bot,
            "user_id": query.user,
            "stream": self._settings.streams,
            "auto_save_history": True,
            "additional_messages": [asked],
            "custom_variables": dict(query.variables),
        }

    async def _file(self, file: Attachment) -> dict[str, str]:
        kind = "image" if file.media_type.startswith("image/") else "file"
        if not file.content:
            return {"type": kind, "file_url": file.url}
        upload = Upload(name=file.name, content=file.content, media_type=file.media_type)
        stored = await self._call("POST", "/v1/files/upload", upload=upload)
        number = as_text(as_dict(stored.get("data")).get("id"))
        if not number:
            raise BotGarbled("Coze took the file and gave no number for it.")
        return {"type": kind, "file_id": number}

    async def _poll(self, reply: CozeReply) -> list[ReplyEvent]:
        """Look once more, after a while."""
        await asyncio.sleep(self._settings.poll_s)
        where = {"conversation_id": reply.conversation, "chat_id": reply.chat}
        told = await self._call("GET", "/v3/chat/retrieve", params=where)
        events = list(reply.look(as_dict(told.get("data"))))
        if reply.must_list:
            told = await self._call("GET", "/v3/chat/message/list", params=where)
            events += reply.listed(as_list(told.get("data")))
        return events

    async def _cancel(self, conversation: str, chat: str) -> None:
        body = {"conversation_id": conversation, "chat_id": chat}
        await self._call("POST", "/v3/chat/cancel", body)

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: dict[str, str] | None = None,
        upload: Upload | None = None,
    ) -> dict[str, Any]:
        token = await self._tokens.token()
        try:
            return await self._endpoint.call(
                method, path, body, params=params, headers=bearer(token), upload=upload
            )
        except BadToken:
            if not self._tokens.refused(token):
                raise
        token = await self._tokens.token()
        return await self._endpoint.call(
            method, path, body, params=params, headers=bearer(token), upload=upload
        )
