"""An OpenAI-compatible server: chat, as a stream and not, tools, embeddings, models.

Owns the wire of `/chat/completions` and its neighbours in six dialects (`openai_dialects.py`).
Refuses to think: what it answers is the sample shop's. Rule: a stream ends with its last chunk, the
usage where the dialect has it, and `[DONE]`, unless the script says otherwise.
"""

import base64
import math
import re
import struct
import zlib
from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from qingniao.doubles.double import Answer, Call, Clock, Double, Json, Refusal, Said, json_reply
from qingniao.doubles.faq import Faq, pieces, tokens
from qingniao.doubles.messages import Reply
from qingniao.doubles.openai_dialects import DIALECTS, Dialect
from qingniao.doubles.openai_messages import Message
from qingniao.doubles.openai_tools import Tool, ToolCall, ToolChoice, called, filled
from qingniao.knowledge.grams import grams

__all__ = ["OpenAIDouble"]

_DONE: Final = b"data: [DONE]\n\n"
_LABELS: Final = re.compile(
    r"^\s*[-*•]\s*[\"“`]?([^:：\n\"”`(（]{1,40}?)[\"”`]?\s*(?:[:：(（].*)?$", re.M
)
_THOUGHTS: Final = ("先看看顾客问的是什么。", "店里的资料里有这一条，照着回答。")


class _Message(Message):
    tool_call_id: str = ""


class _StreamOptions(Struct):
    include_usage: bool = False


class _Schema(Struct):
    schema: Json = {}


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class _Chat(Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    response_format: _Format | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


class _Embeddings(Struct):
    model: str
    input: str | list[str]
    encoding_format: str | None = None
    dimensions: int | None = None


class OpenAIDouble(Double):
    """One server in one dialect."""

    platform: ClassVar[str] = "openai"
    own_scenarios: ClassVar[dict[str, str]] = {
        "long": "the length limit cuts the answer: `finish_reason` is `length`",
        "filtered": "the filter cuts the answer: `finish_reason` is `content_filter`",
        "no-done": "the stream ends without `[DONE]`",
    }

    def __init__(
        self, faq: Faq, *, clock: Clock, dialect: str = "openai", key: str = "sk-double",
        pace_s: float = 0.0, ping_s: float = 10.0,
    ) -> None:  # fmt: skip
        self.dialect: Dialect = DIALECTS[dialect]
        self.key = key
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    @property
    def base_url(self) -> str:
        """What clients call the base URL."""
        return self.url + self.dialect.base

    def fields(self) -> list[tuple[str, dict[str, str]]]:
        fields = {"url": self.base_url, "key": self.key, "model": self.dialect.models[0]}
        return [(f"OpenAI-compatible ({self.dialect.name})", fields)]

    def routes(self) -> dict[str, Answer]:
        return {
            f"{method} {base}{path}": answer
            for base in {self.dialect.base, "/v1"}
            for method, path, answer in (
                ("POST", "/chat/completions", self._chat),
                ("POST", "/embeddings", self._embed),
                ("GET", "/models", self._models),
                ("GET", "/models/{name}", self._model),
            )
        }

    def refused(self, status: int, message: str) -> Reply:
        if status == 400:
            return self._fault("bad_request")
        kind = "invalid_request_error"
        return json_reply(
            {"error": {"message": message, "type": kind, "param": None, "code": None}},
            status=status,
        )

    def _fault(self, name: str) -> Reply:
        fault = self.dialect.fault(name)
        return json_reply(fault.body, status=fault.status, headers=fault.headers)

    def _admit(self, call: Call) -> None:
        """The key, and whatever the script refuses before anything is answered."""
        if self.dialect.needs_key and call.bearer != self.key:
            raise Refusal(self._fault("unauthorized"))
        for name in ("unauthorized", "quota", "rate"):
            if name in call.script:
                raise Refusal(self._fault(name))
        if "error" in call.script:
            raise Refusal(self._fault(call.script.argument("error", "error")))

    def _models(self, call: Call) -> Reply:
        self._admit(call)
        names = [*self.dialect.models, self.dialect.embedding_model]
        return json_reply({"object": "list", "data": [self._card(name) for name in names if name]})

    def _model(self, call: Call, name: str) -> Reply:
        self._admit(call)
        if name not in (*self.dialect.models, self.dialect.embedding_model):
            raise Refusal(self._fault("no_model"))
        return json_reply(self._card(name))

    def _card(self, name: str) -> Json:
        return {
            "id": name,
            "object": "model",
            "created": 1_715_367_049,
            "owned_by": self.dialect.owner,
        }

    # Chat

    def _chat(self, call: Call) -> Reply:
        body = call.body(_Chat)
        asked = [message for message in body.messages if message.role == "user"]
        question = call.question(asked[-1].text) if asked else ""
        self._admit(call)
        if body.model not in self.dialect.models:
            raise Refusal(self._fault("no_model"))
        if not body.messages:
            raise Refusal(self._fault("bad_request"))
        answer = _Answer(self, call, body, question)
        headers = {
            **self.dialect.headers,
            "x-request-id": f"req_{self.new_id('request').replace('-', '')}",
        }
        if not body.stream:
            content = msgspec.json.encode(answer.whole())
            return Reply(
                headers=headers, events=[b"\n\n" + content if "odd" in call.script else content]
            )
        return Reply(
            content_type="text/event-stream; charset=utf-8", headers=headers, is_stream=True,
            events=answer.events(), pace_s=self.pace_s, ping=self.dialect.ping, ping_s=self.ping_s,
        )  # fmt: skip

    # Embeddings

    def _embed(self, call: Call) -> Reply:
        body = call.body(_Embeddings)
        self._admit(call)
        if body.model != self.dialect.embedding_model:
            raise Refusal(self._fault("no_model"))
        texts = [body.input] if isinstance(body.input, str) else body.input
        size = body.dimensions or self.dialect.dimensions
        if not texts or not 1 <= size <= 4_096:
            raise Refusal(self._fault("bad_request"))
        found: list[Json] = []
        for index, text in enumerate(texts):
            vector = _vector(call.question(text), size)
            coded: object = vector
            if body.encoding_format == "base64":
                coded = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            found.append({"object": "embedding", "index": index, "embedding": coded})
        if "odd" in call.script:
            found.reverse()  # the order is told by `index` alone
        count = sum(tokens(text) for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return json_reply({"object": "list", "data": found, "model": body.model, "usage": usage})


class _Answer:
    """One answer, to be told whole or in chunks."""

    def __init__(self, double: OpenAIDouble, call: Call, body: _Chat, question: str) -> None:
        self._dialect = double.dialect
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

    def _said(self, double: OpenAIDouble, call: Call, body: _Chat, question: str) -> Said:
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


def _vector(text: str, size: int) -> list[float]:
    """Texts that share characters lie close to each other; of length one."""
    vector = [0.0] * size
    for term in grams(text) or (text,):
        place = zlib.crc32(term.encode())
        vector[place % size] += 1.0 if place & 0x8000_0000 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    if not any(vector):
        vector[0] = 1.0
    return [value / length for value in vector]
