"""Coze's interface: chats as streams and by polling, tool outputs, cancelling, workflows as chats.

Owns what a chat is and when it is over; what is kept is `coze_records.py`'s, the events
`coze_stream.py`'s. Rule: a conversation has one chat at a time, and cancelling does not close the
stream.
"""

from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from qingniao.doubles.coze_auth import APP_ID, KEY_ID, PAT, private_key_pem
from qingniao.doubles.coze_faults import FAULTS, fine
from qingniao.doubles.coze_records import BOTS, Bot, Conversation
from qingniao.doubles.coze_stream import Chat, chat_body, messages_of, spaced_out, stream_of
from qingniao.doubles.coze_workflows import CozeWorkflows
from qingniao.doubles.double import Answer, Call, Clock, Json, Said, labels_of
from qingniao.doubles.faq import Faq, pieces
from qingniao.doubles.kept import Kept
from qingniao.doubles.messages import Reply, Stop

__all__ = ["TEAMS", "CozeDouble"]

TEAMS: Final = ("售后组", "物流组", "售前组", "投诉组", "综合组")
"""What the router chooses from, unless the variable `labels` says otherwise; the last one takes
whatever fits nowhere.
"""
_POLLS: Final = 1
"""How often a chat that does not stream is found unfinished."""
_HOLD_S: Final = 5.0
"""How long a cancelled stream stays open, if the client lets it."""


class _Message(Struct):
    role: str
    content: str | None = None
    content_type: str | None = "text"
    type: str | None = None


class _Part(Struct):
    type: str
    text: str | None = None
    file_id: str | None = None
    file_url: str | None = None


class _Chat(Struct):
    bot_id: str
    user_id: str
    stream: bool = False
    auto_save_history: bool = True
    additional_messages: list[_Message] = []
    custom_variables: dict[str, str] = {}
    meta_data: dict[str, str] = {}
    parameters: Json = {}


class _WorkflowChat(Struct):
    workflow_id: str
    additional_messages: list[_Message] = []
    parameters: Json = {}
    bot_id: str = ""
    app_id: str = ""
    conversation_id: str = ""


class _Which(Struct):
    conversation_id: str
    chat_id: str


class _Output(Struct):
    tool_call_id: str
    output: str


class _Outputs(Struct):
    tool_outputs: list[_Output]
    stream: bool = False


class CozeDouble(CozeWorkflows):
    """Three bots and a workflow of one account."""

    platform: ClassVar[str] = "coze"
    own_scenarios: ClassVar[dict[str, str]] = {
        "tools": "calls a tool first and says so",
        "busy": "another chat runs in the conversation (4016)",
    }

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self._chats: Kept[Chat] = Kept()
        self._stops: Kept[Stop] = Kept()
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    def fields(self) -> list[tuple[str, dict[str, str]]]:
        published = [bot for bot in BOTS.values() if bot.is_published]
        by_token = [
            (f"Coze: {bot.name}", {"url": self.url, "token": PAT, "bot": bot.id})
            for bot in published
        ]
        signed = {
            "url": self.url, "app": APP_ID, "public key id": KEY_ID, "bot": published[0].id,
            "private key": private_key_pem(),
        }  # fmt: skip
        return [*by_token, ("Coze: 售后问答 (OAuth JWT)", signed)]

    def routes(self) -> dict[str, Answer]:
        return {
            "POST /v3/chat": self._chat,
            "GET /v3/chat/retrieve": self._retrieve_chat,
            "POST /v3/chat/retrieve": self._retrieve_chat,
            "GET /v3/chat/message/list": self._list_messages,
            "POST /v3/chat/message/list": self._list_messages,
            "POST /v3/chat/cancel": self._cancel,
            "POST /v3/chat/submit_tool_outputs": self._submit,
            "POST /v1/workflows/chat": self._workflow_chat,
            **super().routes(),
        }

    # Chats

    def _chat(self, call: Call) -> Reply:
        body = call.body(_Chat)
        question, files = self._question(call, body.additional_messages)
        self.admit(call)
        bot = self.bot(body.bot_id)
        if not body.stream and not body.auto_save_history:
            text = "When stream is set to false, auto_save_history must be set to true."
            raise self.refuse("4000", text)
        if len(body.additional_messages) > 100:
            raise self.refuse("4000", "additional_messages has more than 100 messages")
        conversation = self._free(call, call.request.query.get("conversation_id", ""), bot.id)
        variables: Json = {**body.parameters, **body.custom_variables}
        said = self._answer(call, bot, question, files, variables)
        chat = self._new(call, conversation, bot.id, body.user_id, question, said)
        chat.meta, chat.is_saved = body.meta_data, body.auto_save_history
        if body.auto_save_history:
            for message in body.additional_messages:
                kept = self.keep(
                    conversation, message.role, message.type or "", message.content or ""
                )
                kept["chat_id"] = chat.id
        if body.stream:
            return self._streamed(chat, stream_of(chat))
        chat.polls_left = _POLLS
        # It is the chat that hangs, not this reply: it is found unfinished for ever.
        call.script = call.script.without("stall").without("hang-midway")
        return fine(chat_body(chat, "in_progress"), self.log())

    def _question(self, call: Call, messages: list[_Message]) -> tuple[str, int]:
        """What the user asks last, and how many files came with it."""
        asked = [message for message in messages if message.role == "user"]
        if not asked:
            return call.question(""), 0
        content = asked[-1].content or ""
        if asked[-1].content_type != "object_string":
            return call.question(content), 0
        try:
            parts = msgspec.json.decode(content, type=list[_Part])
        except msgspec.DecodeError as exc:
            raise self.refuse("4000", "content is not an object_string") from exc
        files = [part for part in parts if part.file_id or part.file_url]
        if any(part.file_id and not self.has_file(part.file_id) for part in files):
            raise self.refuse("4000", "the file does not exist")
        return call.question("".join(part.text or "" for part in parts)), len(files)

    def _free(self, call: Call, name: str, bot: str) -> Conversation:
        """The conversation, in which nothing else may run."""
        conversation = self.conversation(name) if name else self.new_conversation({}, bot)
        if conversation.running or "busy" in call.script:
            raise self.refuse("4016")
        return conversation

    def _answer(self, call: Call, bot: Bot, question: str, files: int, variables: Json) -> Said:
        labels = labels_of(variables.get("labels")) or (TEAMS if bot.is_router else ())
        said = self.said(call, question, labels)
        if not files or not said.pieces:
            return said
        return Said(pieces=(*pieces(f"收到 {files} 个文件。"), *said.pieces), sources=said.sources)

    def _new(
        self, call: Call, conversation: Conversation, bot: str, user: str, question: str, said: Said
    ) -> Chat:
        chat = Chat(
            id=self.new_id("chat", digits=19), conversation=conversation.id, bot=bot, user=user,
            question=question, said=said, script=call.script, created_at=int(self.clock()),
            message=self.new_id("message", digits=19),
        )  # fmt: skip
        if "error-midway" in call.script:
            code, text = FAULTS.get(call.script.argument("error-midway")) or FAULTS["5000"]
            chat.error = (code, text if code != 5000 else "event interval error")
        conversation.running = chat.id
        self._chats[chat.id] = chat
        return chat

    def _streamed(self, chat: Chat, events: list[bytes]) -> Reply:
        stop = Stop([], hold_s=_HOLD_S)
        self._stops[chat.id] = stop

        def ended(is_whole: bool) -> None:
            self._stops.forget(chat.id)
            # A client that leaves does not end the chat; one that hangs goes on hanging.
            if is_whole or not {"stall", "hang", "hang-midway"} & chat.script.names:
                self._finish(chat)

        return Reply(
            content_type="text/event-stream", headers={"x-tt-logid": self.log()}, is_stream=True,
            events=events, pace_s=self.pace_s, stop=stop, ended=ended,
        )  # fmt: skip

    def _finish(self, chat: Chat) -> None:
        """Once: the conversation is free again, and the answer is part of it."""
        if chat.status != "in_progress":
            return
        if "error-midway" in chat.script:
            chat.status = "failed"
        elif "form" in chat.script:
            chat.status = "requires_action"
            return
        else:
            chat.status = "completed"
        self._free_again(chat)
        conversation = self.conversations.get(chat.conversation)
        if conversation and chat.status == "completed" and chat.is_saved:
            conversation.messages += [
                {**one, "created_at": chat.created_at} for one in messages_of(chat)
            ]

    def _free_again(self, chat: Chat) -> None:
        conversation = self.conversations.get(chat.conversation)
        if conversation and conversation.running == chat.id:
            conversation.running = ""

    # Afterwards

    def _found(self, conversation: str, chat: str) -> Chat:
        found = self._chats.get(chat)
        if found is None or found.conversation != conversation:
            raise self.refuse("4200", f"Requested resource chat_id={chat} does not exist.")
        return found

    def _asked_for(self, call: Call) -> Chat:
        self.admit(call)
        query = call.request.query
        return self._found(query.get("conversation_id", ""), query.get("chat_id", ""))

    def _retrieve_chat(self, call: Call) -> Reply:
        chat = self._asked_for(call)
        if chat.status == "in_progress" and self._stops.get(chat.id) is None:
            if chat.polls_left > 0:
                chat.polls_left -= 1
            elif not {"stall", "hang-midway"} & chat.script.names:
                self._finish(chat)
        return fine(chat_body(chat), self.log())

    def _list_messages(self, call: Call) -> Reply:
        chat = self._asked_for(call)
        if chat.status != "completed":
            return fine([], self.log())
        at = {"created_at": chat.created_at, "updated_at": chat.created_at}
        return fine([{**one, **at} for one in messages_of(chat)], self.log())

    def _cancel(self, call: Call) -> Reply:
        body = call.body(_Which)
        self.admit(call)
        chat = self._found(body.conversation_id, body.chat_id)
        if chat.status not in ("in_progress", "requires_action"):
            raise self.refuse("4104")
        chat.status = "canceled"
        self._free_again(chat)
        if stop := self._stops.get(chat.id):
            stop.set()
        return fine(chat_body(chat), self.log())

    def _submit(self, call: Call) -> Reply:
        body = call.body(_Outputs)
        chat = self._asked_for(call)
        if chat.status != "requires_action" or not body.tool_outputs:
            raise self.refuse("4000", "the chat does not wait for tool outputs")
        if body.tool_outputs[0].tool_call_id != f"call_{chat.id}":
            raise self.refuse("4000", "tool_call_id does not exist")
        chat.script = chat.script.without("form")
        chat.status = "in_progress"
        chat.said = Said(pieces=tuple(pieces(f"好的，已为您登记：{body.tool_outputs[0].output}。")))
        if body.stream:
            return self._streamed(chat, stream_of(chat))
        chat.polls_left = _POLLS
        return fine(chat_body(chat), self.log())

    def _workflow_chat(self, call: Call) -> Reply:
        body = call.body(_WorkflowChat)
        question, _ = self._question(call, body.additional_messages)
        self.admit(call)
        self.known(body.workflow_id)
        conversation = self._free(call, body.conversation_id, body.bot_id)
        said = self.said(call, question, labels_of(body.parameters.get("labels")))
        chat = self._new(call, conversation, body.bot_id, "", question, said)
        spaced = [spaced_out(one) for one in stream_of(chat)]
        return self._streamed(chat, spaced)
