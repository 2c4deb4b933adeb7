"""The events of one Coze chat: its states, its messages in pieces and whole, its end.

Owns event names, order and odd spacing (`event:x`, `data:{…}`, no blank). Rule: a chat ends with
`completed`, `failed` or `requires_action`, and the stream with `done`.
"""

from typing import Final

import msgspec
from msgspec import Struct

from qingniao.doubles.double import Json, Said
from qingniao.doubles.faq import tokens
from qingniao.doubles.scenario import Script

__all__ = ["Chat", "chat_body", "encoded", "event", "messages_of", "spaced_out", "stream_of"]

_NOTHING: Final[Json] = {"type": "", "submit_tool_outputs": {"tool_calls": []}}
_THOUGHTS: Final = ("先看看顾客问的是什么。", "资料里有这一条。")
_PCM: Final = "AAAAAA=="


class Chat(Struct, kw_only=True):
    """One question under way or answered."""

    id: str
    conversation: str
    bot: str
    user: str
    question: str
    said: Said
    script: Script
    created_at: int
    message: str
    """The id of the answer; those of other messages are made of it."""
    status: str = "in_progress"
    polls_left: int = 0
    """How often it is still found unfinished."""
    error: tuple[int, str] = (0, "")
    is_saved: bool = True
    meta: dict[str, str] = {}


def encoded(content: object) -> bytes:
    """JSON as the platform writes it: three signs are escaped."""
    text = msgspec.json.encode(content)
    for sign in (b"&", b"<", b">"):
        text = text.replace(sign, b"\\u00%x" % sign[0])
    return text


def event(name: str, data: object) -> bytes:
    """One event, without a blank after the colons."""
    return b"event:" + name.encode() + b"\ndata:" + encoded(data) + b"\n\n"


def spaced_out(one: bytes) -> bytes:
    """The same event as workflows have it: with a blank after each colon."""
    return one.replace(b"event:", b"event: ", 1).replace(b"\ndata:", b"\ndata: ", 1)


def chat_body(chat: Chat, status: str = "") -> Json:
    """The chat as it is told everywhere; `status` as it was at some time."""
    status = status or chat.status
    is_over = status in ("completed", "failed", "canceled")
    answer = tokens(chat.said.text)
    asked = tokens(chat.question) + 600
    body: Json = {
        "id": chat.id, "conversation_id": chat.conversation, "bot_id": chat.bot,
        "created_at": chat.created_at,
        "last_error": {
            "code": chat.error[0] if is_over else 0, "msg": chat.error[1] if is_over else "",
        },
        "status": status,
        "usage": {
            "token_count": asked + answer if is_over else 0,
            "output_count": answer if is_over else 0, "input_count": asked if is_over else 0,
        },
        "required_action": _action(chat) if status == "requires_action" else _NOTHING,
        "section_id": chat.conversation,
    }  # fmt: skip
    if chat.meta:
        body["meta_data"] = chat.meta
    if status == "completed":
        body["completed_at"] = chat.created_at + 1
    if status == "failed":
        body["failed_at"] = chat.created_at + 1
    return body


def _action(chat: Chat) -> Json:
    function = {"name": "ask_order_number", "arguments": '{"reason":"请填写订单号"}'}
    call = {"id": f"call_{chat.id}", "type": "function", "function": function}
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}


def _message(chat: Chat, kind: str, content: str, number: int = 0) -> Json:
    return {
        "id": chat.message if kind == "answer" else f"{chat.message[:-2]}{number:02}",
        "conversation_id": chat.conversation, "bot_id": chat.bot, "role": "assistant",
        "type": kind, "content": content, "content_type": "text", "chat_id": chat.id,
        "section_id": chat.conversation,
    }  # fmt: skip


def messages_of(chat: Chat) -> list[Json]:
    """Every message of the bot, whole, in the order in which they are told."""
    messages: list[Json] = []
    if "tools" in chat.script:
        asked = {"name": "search", "arguments": {"query": chat.question}, "plugin_name": "dataset"}
        messages.append(_message(chat, "function_call", msgspec.json.encode(asked).decode(), 1))
        messages.append(_message(chat, "tool_response", "找到 1 条资料", 2))
    messages.append(_message(chat, "answer", chat.said.text))
    finish = {
        "msg_type": "generate_answer_finish", "data": '{"finish_reason":0,"FinData":""}',
        "from_module": None, "from_unit": None,
    }  # fmt: skip
    messages.append(_message(chat, "verbose", msgspec.json.encode(finish).decode(), 3))
    for number, (entry, _) in enumerate(chat.said.sources[1:], start=4):
        messages.append(_message(chat, "follow_up", entry.question, number))
    return messages


def stream_of(chat: Chat) -> list[bytes]:
    """Everything from `created` to `done`."""
    opening = [
        event("conversation.chat.created", chat_body(chat, "created")),
        event("conversation.chat.in_progress", chat_body(chat, "in_progress")),
    ]
    if "form" in chat.script:
        asked = event("conversation.chat.requires_action", chat_body(chat, "requires_action"))
        return [*opening, asked, _done(chat)]
    spoken = [event("conversation.message.delta", one) for one in _deltas(chat)]
    if "error-midway" in chat.script:
        return [*opening, *spoken[: len(spoken) // 2], *_failure(chat)]
    whole = [event("conversation.message.completed", one) for one in messages_of(chat)]
    # What was done before the answer is told before its first piece.
    before = 2 if "tools" in chat.script else 0
    end = event("conversation.chat.completed", chat_body(chat, "completed"))
    events = [*opening, *whole[:before], *spoken, *whole[before:], end, _done(chat)]
    return _odd(chat, events) if "odd" in chat.script else events


def _deltas(chat: Chat) -> list[Json]:
    deltas = []
    if "reasoning" in chat.script:
        deltas = [{**_message(chat, "answer", ""), "reasoning_content": one} for one in _THOUGHTS]
    return deltas + [_message(chat, "answer", piece) for piece in chat.said.pieces]


def _failure(chat: Chat) -> list[bytes]:
    if chat.script.argument("error-midway") == "event":
        told = {"code": chat.error[0], "msg": chat.error[1]}
        return [event("error", told)]
    return [event("conversation.chat.failed", chat_body(chat, "failed")), _done(chat)]


def _done(chat: Chat) -> bytes:
    if "odd" in chat.script:
        url = "https://www.coze.cn/work_flow?execute_id=1&workflow_id=2"
        return event("done", {"debug_url": url})
    return event("done", "[DONE]")


def _odd(chat: Chat, events: list[bytes]) -> list[bytes]:
    """Blanks after the colons as other addresses have them, sound, and what nobody knows yet."""
    spaced = [spaced_out(one) for one in events[2:6]]
    sound = {**_message(chat, "answer", _PCM), "content_type": "audio"}
    extra = [
        event("conversation.audio.delta", sound),
        event("conversation.something.new", {"id": chat.id}),
        b": comment\n\n",
        b"id: 7\n",
    ]
    return [*events[:2], *spaced, *extra, *events[6:]]
