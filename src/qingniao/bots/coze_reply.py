"""What one chat of Coze has told so far. Owns the events and states; refuses to ask.

Rule: only messages of the type `answer` are for visitors; they are joined in the order in which
they began, and each is what its `completed` said.
"""

from collections.abc import Sequence
from typing import Any, Final

from qingniao.bots.base import (
    BotError,
    BotUnavailable,
    InputRequired,
    ReplyEvent,
    ReplyTruncated,
    TextDelta,
    Working,
)
from qingniao.bots.coze_faults import by_code
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded
from qingniao.bots.http import JSON_EVENT
from qingniao.bots.writing import Writing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["CozeReply"]

_CHAT: Final = "conversation.chat."
_BETWEEN: Final = "\n\n"


class CozeReply:
    """One chat."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.conversation = ""
        self.chat = ""
        self.has_begun = False
        self.is_whole = False
        self.has_ended = False
        """Nothing is under way there any more."""
        self.must_poll = False
        self.must_list = False
        self._messages: dict[str, str] = {}

    def take(self, event: ServerEvent) -> Sequence[ReplyEvent]:
        """The events that one of theirs becomes."""
        body = decoded(event.data)
        if event.name == JSON_EVENT:
            # Asked without a stream, it answers at once that it has begun.
            self.must_poll = True
            return self.look(as_dict((body or {}).get("data")))
        if event.name == "error":
            raise _failed(body or {})
        if body is None:
            return (Working(),)
        if event.name.startswith(_CHAT):
            self._know(body)
            return self._state(event.name.removeprefix(_CHAT), body)
        if event.name == "conversation.message.delta":
            return self._delta(body)
        if event.name == "conversation.message.completed":
            return self._message(body)
        return (Working(),)

    def look(self, chat: dict[str, Any]) -> Sequence[ReplyEvent]:
        """How the chat stands, as `retrieve` tells it."""
        self._know(chat)
        status = as_text(chat.get("status"))
        if not self.chat or not status:
            raise BotUnavailable("Coze did not say how the question stands.")
        told = self._state(status, chat)
        if status == "completed":
            self.is_whole = False
            self.must_list = True
        return told

    def listed(self, messages: list[Any]) -> Sequence[ReplyEvent]:
        """What a completed chat has said."""
        told: list[ReplyEvent] = []
        for message in map(as_dict, messages):
            told += self._message(message)
        self.must_poll = self.must_list = False
        self.is_whole = True
        return told

    def _know(self, chat: dict[str, Any]) -> None:
        self.chat = as_text(chat.get("id")) or self.chat
        self.conversation = as_text(chat.get("conversation_id")) or self.conversation
        self.writing.remote = self.conversation

    def _state(self, status: str, chat: dict[str, Any]) -> Sequence[ReplyEvent]:
        match status:
            case "completed":
                usage = as_dict(chat.get("usage"))
                self.writing.prompt_tokens = as_count(usage.get("input_count"))
                self.writing.completion_tokens = as_count(usage.get("output_count"))
                self.is_whole = self.has_ended = True
                return ()
            case "failed":
                self.has_ended = True
                raise _failed(as_dict(chat.get("last_error")))
            case "requires_action":
                raise InputRequired(_wanted(chat))
            case "canceled":
                self.has_ended = True
                raise ReplyTruncated("The answer was cancelled in Coze.")
        return (Working(),)

    def _delta(self, message: dict[str, Any]) -> Sequence[ReplyEvent]:
        if not _is_shown(message):
            return (Working(),)
        number, piece = as_text(message.get("id")), as_text(message.get("content"))
        told: list[TextDelta] = []
        if number not in self._messages:
            if not piece:
                return ()
            if any(self._messages.values()):
                told += self.writing.add(_BETWEEN)
            self._messages[number] = ""
        self._messages[number] += piece
        return told + self.writing.add(piece)

    def _message(self, message: dict[str, Any]) -> Sequence[ReplyEvent]:
        if message.get("type") == "follow_up":
            self.writing.options.append(as_text(message.get("content")))
            return ()
        if not _is_shown(message):
            return (Working(),)
        number = as_text(message.get("id"))
        self._messages[number] = as_text(message.get("content"))
        self.writing.message = f"{self.conversation}/{number}"
        return self.writing.replace(_BETWEEN.join(t for t in self._messages.values() if t))


def _is_shown(message: dict[str, Any]) -> bool:
    return message.get("type") == "answer" and message.get("content_type", "text") == "text"


def _failed(error: dict[str, Any]) -> BotError:
    code = error.get("code")
    said = as_text(error.get("msg"))
    return by_code(code if isinstance(code, int) else 5000, said)


def _wanted(chat: dict[str, Any]) -> str:
    action = as_dict(as_dict(chat.get("required_action")).get("submit_tool_outputs"))
    names = [
        as_text(as_dict(as_dict(call).get("function")).get("name"))
        for call in as_list(action.get("tool_calls"))
    ]
    wanted = ", ".join(name for name in names if name) or "something"
    return f"The bot wants {wanted} from us, which nobody here gives: take that tool out of it."
