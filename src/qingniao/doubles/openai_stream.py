"""One answer of an OpenAI-compatible server, whole or in chunks.

Owns fields, their order and the end of a stream. Rule: a stream ends with its last chunk, the usage
where the dialect has it, and `[DONE]`, unless the script says otherwise.
"""

import re
from typing import Final

import msgspec

from qingniao.doubles.double import Call, Double, Json, Said
from qingniao.doubles.faq import pieces, tokens
from qingniao.doubles.openai_dialects import Dialect
from qingniao.doubles.openai_messages import Chat
from qingniao.doubles.openai_tools import ToolCall, called, filled

__all__ = ["Telling"]

_DONE: Final = b"data: [DONE]\n\n"
_LABELS: Final = re.compile(
    r"^\s*[-*•]\s*[\"“`]?([^:：\n\"”`(（]{1,40}?)[\"”`]?\s*(?:[:：(（].*)?$", re.M
)
_THOUGHTS: Final = ("先看看顾客问的是什么。", "店里的资料里有这一条，照着回答。")


class Telling:
    """One answer, to be told whole or in chunks."""

    def __init__(
        self, double: Double, dialect: Dialect, call: Call, body: Chat, question: str
    ) -> None:
        self._dialect = dialect
        self._script = call.script
        self._model = body.model
        self._id = f"chatcmpl-{double.new_id('chat').replace('-', '')[:24]}"
        self._created = int(double.clock())
        self._wants_usage = bool(body.stream_options and body.stream_options.include_usage)
        self._prompt = sum(tokens(message.text) for message in body.messages)
        self._thinks = bool(self._dialect.thinks_in) and (
            "reasoning" in call.script or body.model.endswith("reasoner")
        )
        self._call: ToolCall | None = None
        said = self._said(double, call, body, question)
        limit = body.max_completion_tokens or body.max_tokens
        self._finish = "tool_calls" if self._call else "stop"
        parts = list(said.pieces)
        if "long" in call.script or "filtered" in call.script:
            self._finish = "length" if "long" in call.script else "content_filter"
            parts = parts[: len(parts) // 2]
        elif limit is not None and tokens("".join(parts)) > limit:
            self._finish = "length"
            while parts and tokens("".join(parts)) > limit:
                parts.pop()
        self._pieces = parts

    def _said(self, double: Double, call: Call, body: Chat, question: str) -> Said:
        if body.messages[-1].role == "tool":
            return Said(pieces=tuple(pieces(f"查到了：{body.messages[-1].text}")))
        if body.tools and body.tool_choice != "none":
            self._call = called(body.tools, body.tool_choice, question, double.faq)
            if self._call:
                return Said(pieces=())
        said = double.said(call, question)
        system = "\n".join(m.text for m in body.messages if m.role in ("system", "developer"))
        labels = [label.strip() for label in _LABELS.findall(system)]
        if body.response_format and body.response_format.type != "text" and said.pieces:
            schema = body.response_format.json_schema
            content = filled(schema.schema if schema else {}, question, double.faq, said.text)
            return Said(pieces=tuple(pieces(msgspec.json.encode(content).decode())))
        if len(labels) > 1 and said.pieces:
            chosen = double.faq.choice(labels, question) or labels[-1]
            return Said(pieces=tuple(pieces(chosen)))
        return said

    @property
    def _usage(self) -> Json:
        done = tokens("".join(self._pieces)) + (12 if self._call else 0)
        thought = sum(map(tokens, _THOUGHTS)) if self._thinks else 0
        usage: Json = {
            "prompt_tokens": self._prompt,
            "completion_tokens": done + thought,
            "total_tokens": self._prompt + done + thought,
        }
        if thought:
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        if self._dialect.tells_cache:
            usage["prompt_cache_hit_tokens"] = 0
            usage["prompt_cache_miss_tokens"] = self._prompt
        return usage

    def whole(self) -> Json:
        """Without `stream`."""
        text = "".join(self._pieces)
        message: Json = {"role": "assistant", "content": text, **self._dialect.message_extra}
        if self._thinks:
            message[self._dialect.thinks_in] = "".join(_THOUGHTS)
        if self._call:
            message["content"] = None
            message["tool_calls"] = [self._call.whole()]
        choice = {
            "index": 0,
            "message": message,
            **self._dialect.choice_extra,
            "finish_reason": self._finish,
        }
        head = {"id": self._id, "object": "chat.completion", "created": self._created}
        return {
            **head, "model": self._model, "choices": [choice], "usage": self._usage,
            **self._dialect.chunk_extra,
        }  # fmt: skip

    def events(self) -> list[bytes]:
        """With `stream`: every event as its bytes."""
        # A model that calls a tool says nothing beside it.
        deltas: list[Json] = [{"role": "assistant", "content": None if self._call else ""}]
        if self._thinks:
            deltas += [{"content": None, self._dialect.thinks_in: part} for part in _THOUGHTS]
        deltas += [{"content": piece} for piece in self._pieces]
        if self._call:
            deltas += [
                {"tool_calls": [part]} for part in self._call.parts(self._dialect.calls_whole)
            ]
        if self._dialect.has_role_each:
            deltas = [{"role": "assistant", "content": "", **delta} for delta in deltas[1:]]
        chunks = [self._chunk(delta, None) for delta in deltas]
        chunks.append(self._chunk(self._dialect.last_delta, self._finish))
        is_last = self._dialect.usage_in == "last"
        if self._dialect.has_null_usage and (is_last or self._wants_usage):
            chunks = [{**chunk, "usage": None} for chunk in chunks]
        if is_last:
            chunks[-1]["usage"] = self._usage
        elif self._wants_usage:
            chunks.append({**self._chunk({}, None), "choices": [], "usage": self._usage})
        if "error-midway" in self._script:
            return self._broken(chunks)
        if "odd" in self._script:
            return self._odd(chunks)
        return [_event(chunk) for chunk in chunks] + ([] if "no-done" in self._script else [_DONE])

    def _chunk(self, delta: Json, finish: str | None) -> Json:
        choice = {"index": 0, "delta": delta, **self._dialect.choice_extra, "finish_reason": finish}
        return {
            "id": self._id, "object": "chat.completion.chunk", "created": self._created,
            "model": self._model, **self._dialect.chunk_extra,
            "choices": [choice],
        }  # fmt: skip

    def _broken(self, chunks: list[Json]) -> list[bytes]:
        events = [_event(chunk) for chunk in chunks[: len(chunks) // 2]]
        events.append(_event(self._dialect.fault(self._script.argument("error-midway")).body))
        return [*events, _DONE] if self._dialect.done_after_error else events

    def _odd(self, chunks: list[Json]) -> list[bytes]:
        """What servers were seen to do, all of it in one answer."""
        events = [b": keep-alive\n\n", b":\n\n"]
        for number, chunk in enumerate(chunks):
            text = msgspec.json.encode({**chunk, "usage": self._usage})
            if number % 3 == 0:
                events.append(b"data:" + text + b"\n\n")
            elif number % 3 == 1:
                events.append(b"id: %d\nevent: message\ndata: %b\n\n" % (number, text))
            else:
                events.append(b"data: " + text + b"\n\n\n")
        nothing = self._chunk({}, None)
        nothing["choices"] = [{"index": 0, "delta": None, "finish_reason": None}]
        silent = {**nothing, "choices": [{"index": 0, "finish_reason": None}]}
        events[3:3] = [_event(nothing), _event(silent)]
        return [*events, _DONE, _event({**nothing, "choices": []}), b": bye"]


def _event(content: object) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"
