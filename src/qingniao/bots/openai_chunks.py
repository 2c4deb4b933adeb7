"""The chunks of one completion, in the dialects that servers speak. Owns their reading.

Tolerated: `delta` that is null or missing or called `message`, usage in every chunk or in none, a
whole body instead of a stream, no `[DONE]`, more after it, tool calls without an index. Rule: an
`error` inside of a stream is a failure whatever was said before it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    QueryRejected,
    ReplyEvent,
    Working,
)
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded, has_words, says
from qingniao.bots.http import by_status
from qingniao.bots.writing import Writing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["Chunks", "ToolCall", "read_fault"]


class ToolCall:
    """A call that a model wants, gathered from its pieces."""

    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.name = name
        self.arguments = ""

    def read(self) -> dict[str, Any]:
        """The arguments; empty when the model wrote no JSON object."""
        return decoded(self.arguments) or {}


class Chunks:
    """Reads one completion into `writing`."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._calls: dict[int, ToolCall] = {}
        self._prompt_tokens = self._completion_tokens = 0
        self.is_whole = False
        self.is_over = False
        """Nothing more is to come."""

    @property
    def calls(self) -> Sequence[ToolCall]:
        """What the model wants called, in order."""
        calls = [call for _, call in sorted(self._calls.items()) if call.name]
        for number, call in enumerate(calls):
            call.id = call.id or f"call_{number}"
        return calls

    def take(self, event: ServerEvent) -> Sequence[ReplyEvent]:
        """The events that one of theirs becomes. Raises `BotError`."""
        if event.data.strip() == "[DONE]":
            self.is_whole = self.is_over = True
            return ()
        chunk = decoded(event.data)
        if chunk is None:
            return (Working(),)
        if fault := read_fault(500 if event.name == "error" else 200, chunk, 0.0):
            raise fault
        self._count(as_dict(chunk.get("usage")))
        told: list[ReplyEvent] = []
        for choice in map(as_dict, as_list(chunk.get("choices"))[:1]):
            delta = as_dict(choice.get("delta")) or as_dict(choice.get("message"))
            told += self._writing.add(_content(delta))
            self._gather(as_list(delta.get("tool_calls")))
            self._end(as_text(choice.get("finish_reason")))
        return told or (Working(),)

    def _end(self, reason: str) -> None:
        if not reason:
            return
        if reason in ("content_filter", "sensitive"):
            raise QueryRejected("The model's provider does not let this be answered.")
        self.is_whole = True
        self._writing.partial |= reason == "length"

    def _count(self, usage: dict[str, Any]) -> None:
        """Of several counts the last one stands: some servers send a running sum."""
        prompt = as_count(usage.get("prompt_tokens"))
        completion = as_count(usage.get("completion_tokens"))
        self._writing.prompt_tokens += prompt - self._prompt_tokens if prompt else 0
        self._writing.completion_tokens += completion - self._completion_tokens if completion else 0
        self._prompt_tokens = prompt or self._prompt_tokens
        self._completion_tokens = completion or self._completion_tokens

    def _gather(self, pieces: list[Any]) -> None:
        for piece in map(as_dict, pieces):
            function = as_dict(piece.get("function"))
            id, name = as_text(piece.get("id")), as_text(function.get("name"))
            index = piece.get("index")
            if not isinstance(index, int):
                known = max(self._calls, default=-1)
                is_new = bool(name) and (not id or all(c.id != id for c in self._calls.values()))
                index = known + 1 if is_new or known < 0 else known
            call = self._calls.setdefault(index, ToolCall(id, name))
            call.id = call.id or id
            call.name = call.name or name
            arguments = function.get("arguments")
            # Ollama sends an object where the others send a string.
            call.arguments += arguments if isinstance(arguments, str) else _json(arguments)


def read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    """What a body means; `None` if it is no error."""
    error = body.get("error")
    if status < 400 and not error:
        return None
    details = as_dict(error)
    said = as_text(details.get("message")) or as_text(error) or as_text(body.get("message"))
    said = said or as_text(body.get("detail"))
    code = as_text(details.get("code")) or as_text(details.get("type")) or as_text(body.get("code"))
    word = says(said)
    if status == 402 or has_words(
        f"{code} {said}",
        "insufficient_quota",
        "insufficient balance",
        "budget",
        "arrearage",
        "billing",
        "欠费",
    ):
        return BotOverQuota(f"The account at the model's provider has nothing left.{word}")
    if has_words(code, "context_length_exceeded") or has_words(
        said, "context length", "input length", "too long"
    ):
        return QueryRejected(f"The conversation is too long for this model.{word}")
    if has_words(code, "content_filter", "content_policy", "data_inspection_failed"):
        return QueryRejected(f"The model's provider does not let this be answered.{word}")
    if has_words(code, "model_not_found") or (
        has_words(said, "model") and has_words(said, "not exist", "not found", "not supported")
    ):
        return BotMisconfigured(f"There is no such model: is its name right?{word}")
    if has_words(code, "invalid_api_key", "invalid_authentication", "authentication_error"):
        return BotMisconfigured(f"The model's provider does not accept the key.{word}")
    if has_words(code, "rate_limit"):
        return BotBusy(f"The model's provider is asked too often.{word}", retry_after_s=wait_s)
    if status < 400:
        number = details.get("code")
        if isinstance(number, int) and 400 <= number < 600:
            return by_status("The model's provider", number, wait_s, said)
        return BotUnavailable(f"The model failed in the middle.{word}")
    if status == 400:
        return BotMisconfigured(f"The model does not take what it is sent.{word}")
    return by_status("The model's provider", status, wait_s, said)


def _content(delta: dict[str, Any]) -> str:
    content = delta.get("content")
    if isinstance(content, list):
        parts = (as_dict(part) for part in content)
        return "".join(as_text(p.get("text")) for p in parts if p.get("type") in ("text", None))
    return as_text(content)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode() if value is not None else ""
