"""What the Dify double keeps and shows again: files, messages, conversations, feedback, the app
itself, and its knowledge.

Owns the addresses that read, rate and rename; refuses to answer questions, which is `dify.py`'s.
Rule: one key is one app, and everything belongs to the `user` that asked.
"""

from datetime import UTC, datetime

from msgspec import Struct

from qingniao.doubles.dify_faults import GENERATION, fault
from qingniao.doubles.dify_store import App, Conversation, Feedback, File, Message, Store
from qingniao.doubles.dify_stream import DOCUMENT
from qingniao.doubles.double import Answer, BadBody, Call, Clock, Double, Json, Refusal, json_reply
from qingniao.doubles.faq import Faq, made_id, tokens
from qingniao.doubles.messages import Reply
from qingniao.doubles.uploads import parts_of

__all__ = ["APPS", "DifyRecords", "FileGiven", "User"]

APPS = (
    App(key="app-double-chat", mode="chat", name="售后问答"),
    App(key="app-double-agent", mode="agent-chat", name="售后助手（Agent）"),
    App(key="app-double-new-agent", mode="agent", name="售后助手（新 Agent）"),
    App(key="app-double-chatflow", mode="advanced-chat", name="售后对话流"),
    App(key="app-double-workflow", mode="workflow", name="售后工作流"),
)
_DATASET_KEY = "dataset-double"
_LIMIT_BYTES = {"image": 10, "audio": 50, "video": 100}
_MB = 1024 * 1024


class FileGiven(Struct):
    """A file that comes with a question."""

    type: str
    transfer_method: str
    url: str = ""
    upload_file_id: str = ""


class _Rating(Struct):
    user: str
    rating: str | None = None
    content: str | None = None


class _Name(Struct):
    user: str
    name: str = ""
    auto_generate: bool = False


class _Retrieval(Struct):
    query: str
    retrieval_model: Json | None = None


class User(Struct):
    """A body that says who asks, and no more."""

    user: str


class DifyRecords(Double):
    """Everything but the answers."""

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self.store = Store()
        self.apps = {app.key: app for app in APPS}
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    def routes(self) -> dict[str, Answer]:
        return {
            "POST /v1/files/upload": self._upload,
            "GET /v1/files/{file}/preview": self._preview,
            "POST /v1/messages/{message}/feedbacks": self._rate,
            "GET /v1/app/feedbacks": self._feedbacks,
            "GET /v1/messages/{message}/suggested": self._suggested,
            "GET /v1/messages": self._messages,
            "GET /v1/conversations": self._conversations,
            "DELETE /v1/conversations/{conversation}": self._forget,
            "POST /v1/conversations/{conversation}/name": self._rename,
            "GET /v1/conversations/{conversation}/variables": self._variables,
            "GET /v1/info": self._info,
            "GET /v1/parameters": self._parameters,
            "GET /v1/meta": self._meta,
            "POST /v1/datasets/{dataset}/retrieve": self._retrieve,
        }

    def refused(self, status: int, message: str) -> Reply:
        if status == 400:
            missing_user = "`user`" in message or message.startswith("Input data was truncated")
            return fault("invalid_param", "" if missing_user else message)
        code = {404: "not_found", 405: "method_not_allowed"}.get(status, "unknown")
        return json_reply({"code": code, "message": message, "status": status}, status=status)

    def app(self, call: Call, *, blocks: bool = True) -> App:
        """Whose key it is, and whatever the script refuses before an answer is begun."""
        app = self.apps.get(call.bearer)
        if app is None or "unauthorized" in call.script:
            raise Refusal(fault("unauthorized"))
        if "rate" in call.script:
            raise Refusal(fault("too_many_requests"))
        for word, default in (
            ("error", "completion_request_error"),
            ("quota", "provider_quota_exceeded"),
        ):
            name = call.script.argument(word, default)
            if word in call.script and (blocks or name not in GENERATION):
                raise Refusal(fault(name))
        return app

    # Files

    def check_files(self, files: list[FileGiven] | None, user: str) -> list[Json]:
        found: list[Json] = []
        for file in files or ():
            if file.transfer_method == "local_file":
                kept = self.store.files.get(file.upload_file_id)
                if kept is None or kept.user != user:
                    raise Refusal(fault("invalid_param", "Invalid upload file id format"))
            elif not file.url.startswith(("http://", "https://")):
                raise Refusal(fault("invalid_param", "Invalid file url"))
            found.append({
                "id": file.upload_file_id or self.new_id("file"), "type": file.type,
                "url": file.url, "belongs_to": "user",
            })  # fmt: skip
        return found

    def _upload(self, call: Call) -> Reply:
        self.app(call)
        parts = parts_of(call)
        files = [part for part in parts if part.filename is not None]
        user = next((part.text for part in parts if part.name == "user"), "")
        if not files:
            raise Refusal(fault("no_file_uploaded"))
        if len(files) > 1:
            raise Refusal(fault("too_many_files"))
        name, content = files[0].filename, files[0].content
        if not name:
            raise Refusal(fault("filename_not_exists_error"))
        extension = name.rpartition(".")[2].lower() if "." in name else ""
        if extension in ("exe", "bat", "sh", "dll"):
            raise Refusal(
                fault(
                    "invalid_param",
                    f"File extension '.{extension}' is not allowed for security reasons",
                )
            )
        kind = files[0].kind
        if len(content) > _LIMIT_BYTES.get(kind.partition("/")[0], 15) * _MB:
            raise Refusal(fault("file_too_large"))
        file = File(id=self.new_id("file"), user=user, name=name, kind=kind, content=content)
        self.store.files[file.id] = file
        return json_reply({
            "id": file.id, "reference": None, "name": name, "size": len(content),
            "extension": extension, "mime_type": kind, "created_by": made_id("end-user", user),
            "created_at": int(self.clock()), "preview_url": None,
            "source_url": f"{self.url}/files/{file.id}/file-preview?sign=double",
            "original_url": None, "user_id": None, "tenant_id": made_id("tenant"),
            "conversation_id": None, "file_key": None,
        }, status=201)  # fmt: skip

    def _preview(self, call: Call, file: str) -> Reply:
        self.app(call)
        found = self.store.files.get(file)
        if found is None:
            raise Refusal(fault("file_not_found"))
        if call.request.query.get("user", found.user) != found.user:
            raise Refusal(fault("file_access_denied"))
        return Reply(content_type=found.kind, events=[found.content])

    # Messages and conversations

    def _own(self, call: Call, message: str, user: str) -> Message:
        found = self.store.message(message, user)
        if found is None:
            raise Refusal(fault("not_found.message"))
        return found

    def _rate(self, call: Call, message: str) -> Reply:
        body = call.body(_Rating)
        self.app(call)
        found = self._own(call, message, body.user)
        if body.rating not in ("like", "dislike", None):
            raise BadBody("Invalid rating")
        found.rating = body.rating
        at = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if body.rating is None:
            self.store.feedbacks.forget(message)
        else:
            self.store.feedbacks[message] = Feedback(
                id=self.new_id("feedback"), message=found, rating=body.rating,
                content=body.content, created_at=at,
            )  # fmt: skip
        return json_reply({"result": "success"})

    def _feedbacks(self, call: Call) -> Reply:
        app = self.app(call)
        return json_reply({
            "data": [
                {
                    "id": one.id, "app_id": made_id("app", app.key),
                    "conversation_id": one.message.conversation,
                    "message_id": one.message.id, "rating": one.rating, "content": one.content,
                    "from_source": "user",
                    "from_end_user_id": made_id("end-user", one.message.user),
                    "from_account_id": None, "created_at": one.created_at,
                    "updated_at": one.created_at,
                }
                for one in self.store.feedbacks
            ]
        })  # fmt: skip

    def _suggested(self, call: Call, message: str) -> Reply:
        self.app(call)
        found = self._own(call, message, call.request.query.get("user", ""))
        return json_reply({"result": "success", "data": found.suggested})

    def _messages(self, call: Call) -> Reply:
        app, query = self.app(call), call.request.query
        found = self.store.conversation(
            query.get("conversation_id", ""), app, query.get("user", "")
        )
        if found is None:
            raise Refusal(fault("not_found"))
        limit, older = _limit(query), found.messages
        if first := query.get("first_id"):
            before = [n for n, one in enumerate(older) if one.id == first]
            if not before:
                raise Refusal(fault("not_found.first_message"))
            older = older[: before[0]]
        # The newest page, in the order in which they were said.
        data = [_message_body(one) for one in older[-limit:]]
        return json_reply({"limit": limit, "has_more": len(older) > limit, "data": data})

    def _conversations(self, call: Call) -> Reply:
        app, query = self.app(call), call.request.query
        own = [
            one for one in self.store.conversations
            if (one.app, one.user) == (app.key, query.get("user", ""))
        ]  # fmt: skip
        own.sort(key=lambda one: one.updated_at, reverse=True)
        if last := query.get("last_id"):
            places = [n for n, one in enumerate(own) if one.id == last]
            if not places:
                raise Refusal(fault("not_found.last_conversation"))
            own = own[places[0] + 1 :]
        limit = _limit(query)
        data = [_conversation_body(one) for one in own[:limit]]
        return json_reply({"limit": limit, "has_more": len(own) > limit, "data": data})

    def _named(self, call: Call, conversation: str, user: str) -> Conversation:
        found = self.store.conversation(conversation, self.app(call), user)
        if found is None:
            raise Refusal(fault("not_found"))
        return found

    def _forget(self, call: Call, conversation: str) -> Reply:
        self._named(call, conversation, call.body(User).user)
        self.store.conversations.forget(conversation)
        return Reply(status=204, events=[])

    def _rename(self, call: Call, conversation: str) -> Reply:
        body = call.body(_Name)
        found = self._named(call, conversation, body.user)
        found.name = found.messages[0].query[:20] if body.auto_generate else body.name
        return json_reply(_conversation_body(found))

    def _variables(self, call: Call, conversation: str) -> Reply:
        self._named(call, conversation, call.request.query.get("user", ""))
        return json_reply({"limit": 20, "has_more": False, "data": []})

    # The app

    def _info(self, call: Call) -> Reply:
        app = self.app(call)
        return json_reply({
            "name": app.name, "description": "示例店铺的客服", "tags": ["客服"], "mode": app.mode,
            "author_name": "Qingniao",
        })  # fmt: skip

    def _parameters(self, call: Call) -> Reply:
        app = self.app(call)
        off: Json = {"enabled": False}
        # A workflow asks for its input by name; a chat app has its query.
        name = {"label": "问题", "variable": "query", "required": True, "default": ""}
        return json_reply({
            "opening_statement": "您好，请问有什么可以帮您？",
            "suggested_questions": [entry.question for entry in self.faq.entries[:3]],
            "suggested_questions_after_answer": {"enabled": True}, "speech_to_text": off,
            "text_to_speech": {
                "enabled": False, "voice": "", "language": "", "autoPlay": "disabled",
            },
            "retriever_resource": {"enabled": True}, "annotation_reply": off,
            "more_like_this": off, "sensitive_word_avoidance": off,
            "user_input_form": [{"paragraph": name}] if app.mode == "workflow" else [],
            "file_upload": {"image": {
                "enabled": True, "number_limits": 3, "detail": "high",
                "transfer_methods": ["remote_url", "local_file"],
            }},
            "system_parameters": {
                "file_size_limit": 15, "image_file_size_limit": 10, "audio_file_size_limit": 50,
                "video_file_size_limit": 100, "workflow_file_upload_limit": 10,
            },
        })  # fmt: skip

    def _meta(self, call: Call) -> Reply:
        self.app(call)
        icon = {"background": "#4A90D9", "content": "🔎"}
        return json_reply({"tool_icons": {"dataset_search": icon}})

    # Knowledge

    def _retrieve(self, call: Call, dataset: str) -> Reply:
        body = call.body(_Retrieval)
        question = call.question(body.query)
        if call.bearer != _DATASET_KEY or "unauthorized" in call.script:
            raise Refusal(fault("unauthorized"))
        if "rate" in call.script:
            raise Refusal(fault("forbidden.rate"))
        if "error" in call.script:
            raise Refusal(fault(call.script.argument("error", "internal_server_error")))
        records: list[Json] = [
            {
                "segment": {
                    "id": made_id("segment", entry.id), "position": position,
                    "document_id": DOCUMENT,
                    "content": entry.question, "sign_content": "", "answer": entry.answer,
                    "word_count": len(entry.answer), "tokens": tokens(entry.answer),
                    "keywords": [entry.category], "enabled": True, "status": "completed",
                    "document": {
                        "id": DOCUMENT, "data_source_type": "upload_file", "name": entry.title,
                        "doc_type": None, "doc_metadata": None,
                    },
                },
                "child_chunks": [], "score": score, "tsne_position": None, "files": [],
                "summary": None,
            }
            for position, (entry, score) in enumerate(self.faq.search(question), start=1)
        ]  # fmt: skip
        return json_reply({"query": {"content": question}, "records": records})


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", "20")
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise BadBody("limit must be between 1 and 100")
    return int(text)


def _message_body(message: Message) -> Json:
    asked, told = message.tokens
    return {
        "id": message.id, "conversation_id": message.conversation, "parent_message_id": None,
        "inputs": message.inputs, "query": message.query, "answer": message.answer,
        "status": "normal", "error": None, "message_files": message.files,
        "feedback": {"rating": message.rating} if message.rating else None,
        "retriever_resources": message.resources, "agent_thoughts": [],
        "created_at": message.created_at, "extra_contents": [], "message_tokens": asked,
        "answer_tokens": told, "total_tokens": asked + told, "provider_response_latency": 0.5,
        "total_price": "0.0010000", "currency": "USD",
    }  # fmt: skip


def _conversation_body(conversation: Conversation) -> Json:
    return {
        "id": conversation.id, "name": conversation.name, "inputs": conversation.inputs,
        "status": "normal", "introduction": "您好，请问有什么可以帮您？",
        "created_at": conversation.created_at, "updated_at": conversation.updated_at,
    }  # fmt: skip
