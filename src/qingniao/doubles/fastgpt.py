"""FastGPT's interface: chat completions with their named events, histories and feedback.

Owns the apps, one of them a classifier of intents, and what each chat remembers; datasets are
`fastgpt_data.py`'s. Rule: with a `chatId` only the last message counts, the rest is remembered.
"""

from typing import ClassVar, Final

from msgspec import Struct

from qingniao.doubles.double import Answer, Call, Clock, Json, Refusal, Said, json_reply, labels_of
from qingniao.doubles.faq import Faq, pieces
from qingniao.doubles.fastgpt_data import ACCOUNT_KEY, COLLECTION, DATASET, FastGPTData, fine
from qingniao.doubles.fastgpt_faults import fault
from qingniao.doubles.fastgpt_stream import THOUGHTS, Flow, interactive_of
from qingniao.doubles.kept import Kept
from qingniao.doubles.messages import Reply
from qingniao.doubles.openai_messages import Message

__all__ = ["LABELS", "FastGPTDouble"]

LABELS: Final = ("售后", "物流", "售前", "投诉", "转人工", "其他")
"""What the classifier chooses from, unless `variables.labels` says otherwise. The last one is for
whatever fits nowhere.
"""
_CHAT_KEY: Final = "fastgpt-double-chat"
_CLASSIFIER_KEY: Final = "fastgpt-double-classifier"
_APPS: Final = {_CHAT_KEY: "66a1b2c3d4e5f60718293a4b", _CLASSIFIER_KEY: "66a1b2c3d4e5f60718293a4c"}


class _Message(Message):
    dataId: str = ""


class _Chat(Struct):
    messages: list[_Message]
    chatId: str | None = None
    stream: bool = False
    detail: bool = False
    responseChatItemId: str = ""
    variables: Json = {}
    customUid: str = ""


class _Feedback(Struct):
    appId: str
    chatId: str
    dataId: str
    userGoodFeedback: str | None = None
    userBadFeedback: str | None = None


class _Histories(Struct):
    appId: str
    chatId: str = ""
    offset: int = 0
    pageSize: int = 20


class _Rename(Struct):
    appId: str
    chatId: str
    customTitle: str | None = None
    top: bool | None = None


class _Remembered(Struct, kw_only=True):
    """One chat."""

    id: str
    app: str
    title: str
    custom_title: str = ""
    waits_for: str = ""
    """What it asked last: empty, or the kind of its form."""
    items: list[Json] = []


class FastGPTDouble(FastGPTData):
    """Two apps and an account, told apart by their keys."""

    platform: ClassVar[str] = "fastgpt"
    own_scenarios: ClassVar[dict[str, str]] = {
        "tools": "calls a tool first",
        "old": "scores as plain numbers and search results without a wrapper, as older versions",
    }

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self._chats: Kept[_Remembered] = Kept()
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    @property
    def base_url(self) -> str:
        """What FastGPT shows as the address of its API."""
        return f"{self.url}/api"

    def fields(self) -> list[tuple[str, dict[str, str]]]:
        chat, sort = _APPS[_CHAT_KEY], _APPS[_CLASSIFIER_KEY]
        learns = {"dataset key": ACCOUNT_KEY, "dataset": DATASET, "collection": COLLECTION}
        return [
            ("FastGPT: 售后问答", {"url": self.base_url, "key": _CHAT_KEY, "app": chat, **learns}),
            ("FastGPT: 意图分类", {"url": self.base_url, "key": _CLASSIFIER_KEY, "app": sort}),
        ]

    def routes(self) -> dict[str, Answer]:
        base = "/api/core/chat"
        return {
            "POST /api/v1/chat/completions": self._v1,
            "POST /api/v2/chat/completions": self._v2,
            f"POST {base}/feedback/updateUserFeedback": self._rate,
            f"POST {base}/history/getHistories": self._histories,
            f"POST {base}/getHistories": self._histories,
            f"POST {base}/history/updateHistory": self._rename,
            f"DELETE {base}/history/delHistory": self._forget_chat,
            f"POST {base}/getPaginationRecords": self._records,
            f"GET {base}/init": self._init,
            "POST /api/core/ai/agent/v2/createQuestionGuide": self._guide,
            **super().routes(),
        }

    def refused(self, status: int, message: str) -> Reply:
        if status == 400:
            return fault("error", message)
        # The web server in front of the interface, not the interface.
        return Reply(
            status=status, content_type="text/html", events=[f"<h1>{status}</h1>".encode()]
        )

    def _app(self, call: Call, *, streams: bool = False) -> str:
        """The app of the key, and whatever the script refuses before the workflow begins."""
        if call.bearer == ACCOUNT_KEY:
            text = "Key is error. You need to use the app key rather than the account key."
            raise Refusal(fault("error", text, streams=streams))
        if call.bearer not in _APPS or "unauthorized" in call.script:
            raise Refusal(fault("unAuthApiKey", streams=streams))
        self.refuse_as_told(call, streams=streams)
        return _APPS[call.bearer]

    # Chat

    def _v1(self, call: Call) -> Reply:
        return self._chat(call, is_v2=False)

    def _v2(self, call: Call) -> Reply:
        return self._chat(call, is_v2=True)

    def _chat(self, call: Call, *, is_v2: bool) -> Reply:
        body = call.body(_Chat)
        question = call.question(body.messages[-1].text) if body.messages else ""
        app = self._app(call, streams=body.stream)
        if not body.messages:
            raise Refusal(fault("error", "messages is empty", streams=body.stream))
        chat = self._remembered(app, body)
        labels: tuple[str, ...] = ()
        if app == _APPS[_CLASSIFIER_KEY]:
            labels = labels_of(body.variables.get("labels")) or LABELS
        said = self._said(call, question, labels, chat)
        flow = Flow(
            said=said, script=call.script, chat=body.chatId or "", query=question,
            detail=body.detail, is_v2=is_v2, labels=labels, variables=body.variables,
        )  # fmt: skip
        self._remember(chat, body, said, call)
        if body.stream:
            return Reply(
                content_type="text/event-stream;charset=utf-8", is_stream=True,
                headers={"access-control-allow-origin": "*", "x-accel-buffering": "no"},
                events=flow.events(), pace_s=self.pace_s,
            )  # fmt: skip
        return json_reply(self._whole(call, body, said, flow))

    def _said(self, call: Call, question: str, labels: tuple[str, ...], chat: _Remembered) -> Said:
        if chat.waits_for:
            chat.waits_for = ""
            return Said(pieces=tuple(pieces(f"好的，已为您登记：{question}。")))
        return self.said(call, question, labels, self.learnt)

    def _whole(self, call: Call, body: _Chat, said: Said, flow: Flow) -> Json:
        content: object = said.text
        error: object = None
        if "error-midway" in call.script:
            content = "".join(said.pieces[: len(said.pieces) // 2])
            error = flow.responses[-1].get("error")
        if "form" in call.script:
            asked = interactive_of(call.script.argument("form"))
            content = [{"type": "interactive", "interactive": asked}] if body.detail else ""
        elif "reasoning" in call.script and body.detail:
            content = [
                {"type": "reasoning", "reasoning": {"content": "".join(THOUGHTS)}},
                {"type": "text", "text": {"content": said.text}},
            ]
        detail = {"responseData": flow.responses, "newVariables": body.variables}
        return {
            **(detail if body.detail else {}), **({"error": error} if error else {}),
            "id": body.chatId or "", "model": "",
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 1},
            "choices": [{
                "message": {"role": "assistant", "content": content}, "finish_reason": "stop",
                "index": 0,
            }],
        }  # fmt: skip

    # What is remembered

    def _remembered(self, app: str, body: _Chat) -> _Remembered:
        """The chat, or a new one. Without a `chatId` nothing is kept."""
        title = body.messages[-1].text[:20]
        found = self._chats.get(f"{app}/{body.chatId}") if body.chatId else None
        if found is None:
            found = _Remembered(id=body.chatId or "", app=app, title=title)
            if body.chatId:
                self._chats[f"{app}/{body.chatId}"] = found
        return found

    def _remember(self, chat: _Remembered, body: _Chat, said: Said, call: Call) -> None:
        if "form" in call.script:
            chat.waits_for = str(interactive_of(call.script.argument("form"))["type"])
        for obj, text, name in (
            ("Human", body.messages[-1].text, body.messages[-1].dataId),
            ("AI", said.text, body.responseChatItemId),
        ):
            chat.items.append({
                "_id": self.object_id("item"),
                "dataId": name or self.object_id("item"), "obj": obj,
                "value": [{"type": "text", "text": {"content": text}}],
            })  # fmt: skip

    def _known(self, app: str, chat: str) -> _Remembered:
        found = self._chats.get(f"{app}/{chat}")
        if found is None:
            raise Refusal(fault("error", "chat is not exist"))
        return found

    def _rate(self, call: Call) -> Reply:
        body = call.body(_Feedback)
        self._app(call)
        chat = self._known(body.appId, body.chatId)
        item = next((one for one in chat.items if one["dataId"] == body.dataId), None)
        if item is None:
            raise Refusal(fault("error", "chat item is not exist"))
        for name in ("userGoodFeedback", "userBadFeedback"):
            item.pop(name, None)
            if value := getattr(body, name):
                item[name] = value
        return fine(None)

    def _histories(self, call: Call) -> Reply:
        body = call.body(_Histories)
        self._app(call)
        own = [chat for chat in self._chats if chat.app == body.appId]
        own.reverse()
        page = [
            {
                "chatId": chat.id, "updateTime": "2026-01-01T00:00:00.000Z", "appId": chat.app,
                "customTitle": chat.custom_title, "title": chat.title, "top": False,
            }
            for chat in own[body.offset : body.offset + body.pageSize]
        ]  # fmt: skip
        return fine({"list": page, "total": len(own)})

    def _rename(self, call: Call) -> Reply:
        body = call.body(_Rename)
        self._app(call)
        self._known(body.appId, body.chatId).custom_title = body.customTitle or ""
        return fine(None)

    def _forget_chat(self, call: Call) -> Reply:
        self._app(call)
        query = call.request.query
        self._chats.forget(f"{query.get('appId', '')}/{query.get('chatId', '')}")
        return fine(None)

    def _records(self, call: Call) -> Reply:
        body = call.body(_Histories)
        self._app(call)
        found = self._chats.get(f"{body.appId}/{body.chatId}")
        items = found.items if found else []
        page = items[body.offset : body.offset + body.pageSize]
        return fine({"list": page, "total": len(items)})

    def _init(self, call: Call) -> Reply:
        app = self._app(call)
        query = call.request.query
        if query.get("appId", app) != app:
            raise Refusal(fault("unAuthorization"))
        config = {"questionGuide": {"open": True}, "welcomeText": "您好，请问有什么可以帮您？"}
        name = "意图分类" if app == _APPS[_CLASSIFIER_KEY] else "售后问答"
        return fine({
            "chatId": query.get("chatId", ""), "appId": app, "variables": {},
            "app": {
                "chatConfig": config, "name": name, "avatar": "", "intro": "", "type": "advanced",
                "chatModels": ["gpt-4o-mini"], "pluginInputs": [],
            },
        })  # fmt: skip

    def _guide(self, call: Call) -> Reply:
        self._app(call)
        return fine([entry.question for entry in self.faq.entries[:3]])
