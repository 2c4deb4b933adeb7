"""What the Coze double keeps and shows again: conversations, their messages, files, bots and who
asks; and how a token is had.

Owns the addresses beside the chat. Rule: every address first asks for a good token.
"""

from msgspec import Struct

from qingniao.doubles.coze_auth import BadGrant, Tokens
from qingniao.doubles.coze_faults import fault, fine, log_id
from qingniao.doubles.double import Answer, Call, Clock, Double, Json, Refusal, json_reply
from qingniao.doubles.faq import Faq
from qingniao.doubles.kept import Kept
from qingniao.doubles.messages import Reply
from qingniao.doubles.uploads import parts_of

__all__ = ["BOTS", "Bot", "Conversation", "CozeRecords"]


class Bot(Struct, frozen=True, kw_only=True):
    """One bot of the account."""

    id: str
    name: str
    is_published: bool = True
    is_router: bool = False


BOTS = {
    bot.id: bot
    for bot in (
        Bot(id="7380000000000000001", name="售后问答"),
        Bot(id="7380000000000000002", name="转接分组", is_router=True),
        Bot(id="7380000000000000003", name="还没发布", is_published=False),
    )
}


class Conversation(Struct, kw_only=True):
    """A dialogue: what was said, and the chat that runs in it."""

    id: str
    created_at: int
    meta: dict[str, str] = {}
    running: str = ""
    messages: list[Json] = []
    name: str = ""
    bot: str = ""


class _Message(Struct):
    role: str = "user"
    type: str = "question"
    content: str = ""
    content_type: str = "text"


class _NewConversation(Struct):
    messages: list[_Message] | None = None
    meta_data: dict[str, str] | None = None
    bot_id: str = ""
    name: str = ""


class _Listing(Struct):
    order: str = "desc"
    chat_id: str | None = None
    before_id: str | None = None
    after_id: str | None = None
    limit: int = 50


class _Feedback(Struct):
    feedback_type: str
    reason_types: list[str] = []
    comment: str = ""


class _Grant(Struct):
    grant_type: str
    duration_seconds: int = 900


class CozeRecords(Double):
    """Everything but the chats."""

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self.conversations: Kept[Conversation] = Kept()
        self._files: Kept[Json] = Kept()
        self._feedback: Kept[_Feedback] = Kept()
        self._tokens = Tokens()
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    def routes(self) -> dict[str, Answer]:
        feedback = "/v1/conversations/{conversation}/messages/{message}/feedback"
        return {
            "POST /api/permission/oauth2/token": self._token,
            "POST /v1/conversation/create": self._create,
            "GET /v1/conversation/retrieve": self._retrieve,
            "GET /v1/conversations": self._list,
            "POST /v1/conversations/{conversation}/clear": self._clear,
            "POST /v1/conversation/message/list": self._messages,
            f"POST {feedback}": self._rate,
            f"DELETE {feedback}": self._unrate,
            "POST /v1/files/upload": self._upload,
            "GET /v1/files/retrieve": self._file,
            "GET /v1/bot/get_online_info": self._online_info,
            "GET /v1/bots/{bot}": self._bot_info,
            "GET /v1/users/me": self._me,
        }

    def log(self) -> str:
        """A log id for the next reply."""
        return log_id(self.new_id("log"))

    def refused(self, status: int, message: str) -> Reply:
        if status == 400:
            return fault("4000", self.log(), message)
        return fault("4000", self.log(), message, status=status)

    def refuse(self, name: str, message: str = "") -> Refusal:
        """To be raised."""
        return Refusal(fault(name, self.log(), message))

    def admit(self, call: Call) -> None:
        """The token, and whatever the script refuses before anything is done."""
        if not self._tokens.is_good(call.bearer, self.clock()) or "unauthorized" in call.script:
            # The status differs by site and year; the body does not.
            status = 401 if "odd" in call.script else 200
            raise Refusal(fault("4100", self.log(), status=status))
        for name in ("quota", "rate"):
            if name in call.script:
                raise self.refuse(name)
        if "error" in call.script:
            raise self.refuse(call.script.argument("error", "5000"))

    # Tokens

    def _token(self, call: Call) -> Reply:
        body = call.body(_Grant)
        if body.grant_type != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return _no_grant("unsupported_grant_type", body.grant_type)
        token = f"czs_{self.new_id('token').replace('-', '')}"
        host = call.request.headers.get("host", "")
        if {"unauthorized", "error"} & call.script.names:
            return _no_grant("invalid_client", "the app was disabled")
        try:
            until = self._tokens.give(call.bearer, body.duration_seconds, token, host, self.clock())
        except BadGrant as exc:
            return _no_grant("invalid_client", str(exc))
        # Absolute, whatever its name says.
        return json_reply({"access_token": token, "expires_in": until, "token_type": "Bearer"})

    def forget_tokens(self) -> None:
        """As when an administrator of the platform takes all tokens back."""
        self._tokens = Tokens()

    # Conversations

    def conversation(self, name: str) -> Conversation:
        """Raises a refusal when there is none."""
        found = self.conversations.get(name)
        if found is None:
            raise self.refuse("4200", f"Requested resource conversation_id={name} does not exist.")
        return found

    def new_conversation(
        self, meta: dict[str, str], bot: str = "", title: str = ""
    ) -> Conversation:
        """Kept from now on."""
        made = Conversation(
            id=self.new_id("conversation", digits=19), created_at=int(self.clock()), meta=meta,
            bot=bot, name=title,
        )  # fmt: skip
        self.conversations[made.id] = made
        return made

    def _create(self, call: Call) -> Reply:
        body = call.body(_NewConversation) if call.request.body else _NewConversation()
        self.admit(call)
        made = self.new_conversation(body.meta_data or {}, body.bot_id, body.name)
        for message in body.messages or ():
            self.keep(made, message.role, message.type, message.content)
        return fine(_conversation_body(made), self.log())

    def keep(self, conversation: Conversation, role: str, kind: str, content: str) -> Json:
        """A message that is part of the conversation from now on."""
        message: Json = {
            "id": self.new_id("message", digits=19), "conversation_id": conversation.id,
            "role": role, "type": kind, "content": content, "content_type": "text",
            "created_at": int(self.clock()), "updated_at": int(self.clock()),
        }  # fmt: skip
        conversation.messages.append(message)
        return message

    def _retrieve(self, call: Call) -> Reply:
        self.admit(call)
        name = call.request.query.get("conversation_id", "")
        return fine(_conversation_body(self.conversation(name)), self.log())

    def _list(self, call: Call) -> Reply:
        self.admit(call)
        query = call.request.query
        own = [one for one in self.conversations if one.bot == query.get("bot_id", "")]
        number, size = _number(query, "page_num", 1), _number(query, "page_size", 50)
        page = own[(number - 1) * size : number * size]
        told = [_conversation_body(one) for one in page]
        return fine({"has_more": len(own) > number * size, "conversations": told}, self.log())

    def _clear(self, call: Call, conversation: str) -> Reply:
        self.admit(call)
        found = self.conversation(conversation)
        found.messages.clear()
        return fine({"id": found.id, "conversation_id": found.id}, self.log())

    def _messages(self, call: Call) -> Reply:
        body = call.body(_Listing) if call.request.body else _Listing()
        self.admit(call)
        found = self.conversation(call.request.query.get("conversation_id", ""))
        messages = [
            one for one in found.messages if body.chat_id in (None, "", one.get("chat_id"))
        ]  # fmt: skip
        if body.order == "desc":
            messages.reverse()
        ids = [one["id"] for one in messages]
        if body.after_id in ids:
            messages = messages[ids.index(body.after_id) + 1 :]
        page = messages[: body.limit]
        return fine(
            page, self.log(), first_id=page[0]["id"] if page else "",
            last_id=page[-1]["id"] if page else "", has_more=len(messages) > len(page),
        )  # fmt: skip

    def _rate(self, call: Call, conversation: str, message: str) -> Reply:
        body = call.body(_Feedback)
        self._rated(call, conversation, message)
        if body.feedback_type not in ("like", "unlike"):
            raise self.refuse("4000")
        self._feedback[message] = body
        return fine(None, self.log())

    def _unrate(self, call: Call, conversation: str, message: str) -> Reply:
        self._rated(call, conversation, message)
        self._feedback.forget(message)
        return fine(None, self.log())

    def _rated(self, call: Call, conversation: str, message: str) -> None:
        self.admit(call)
        if message not in [one["id"] for one in self.conversation(conversation).messages]:
            raise self.refuse("4200", f"Requested resource message_id={message} does not exist.")

    def feedback(self, message: str) -> str:
        """`like`, `unlike` or nothing."""
        found = self._feedback.get(message)
        return found.feedback_type if found else ""

    # Files, bots, people

    def _upload(self, call: Call) -> Reply:
        self.admit(call)
        files = [part for part in parts_of(call) if part.filename]
        if len(files) != 1:
            raise self.refuse("4000")
        name = self.new_id("file", digits=19)
        self._files[name] = {
            "id": name, "bytes": len(files[0].content), "file_name": files[0].filename,
            "created_at": int(self.clock()),
        }  # fmt: skip
        return fine(self._files.get(name), self.log())

    def has_file(self, name: str) -> bool:
        """Was it uploaded."""
        return self._files.get(name) is not None

    def _file(self, call: Call) -> Reply:
        self.admit(call)
        found = self._files.get(call.request.query.get("file_id", ""))
        if found is None:
            raise self.refuse("4200")
        return fine(found, self.log())

    def bot(self, name: str) -> Bot:
        """Raises a refusal for one that is not there or not published to the interface."""
        found = BOTS.get(name)
        if found is None:
            raise self.refuse("4200", f"Requested resource bot_id={name} does not exist.")
        if not found.is_published:
            text = f"The bot_id {name} has not been published to the channel Agent As API."
            raise self.refuse("4015", text)
        return found

    def _online_info(self, call: Call) -> Reply:
        return self._bot_info(call, call.request.query.get("bot_id", ""))

    def _bot_info(self, call: Call, bot: str) -> Reply:
        self.admit(call)
        found = self.bot(bot)
        onboarding = {"prologue": "您好，请问有什么可以帮您？", "suggested_questions": []}
        return fine({
            "bot_id": found.id, "name": found.name, "description": "示例店铺的客服", "icon_url": "",
            "create_time": 1_718_792_949, "update_time": 1_718_792_949, "version": "1718792949000",
            "onboarding_info": onboarding, "bot_mode": 0,
            "prompt_info": {"prompt": ""}, "plugin_info_list": [],
        }, self.log())  # fmt: skip

    def _me(self, call: Call) -> Reply:
        self.admit(call)
        person = {"user_id": "2480000000001", "user_name": "double", "nick_name": "替身"}
        return fine({**person, "avatar_url": ""}, self.log())


def _no_grant(code: str, message: str) -> Reply:
    return json_reply({"error_code": code, "error_message": message}, status=401)


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and 1 <= int(text) <= 1_000 else default


def _conversation_body(conversation: Conversation) -> Json:
    return {
        "id": conversation.id, "created_at": conversation.created_at,
        "meta_data": conversation.meta, "last_section_id": conversation.id,
        "name": conversation.name, "updated_at": conversation.created_at, "creator_id": "",
        "connector_id": "1024",
    }  # fmt: skip
