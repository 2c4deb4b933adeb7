"""An OpenAI-compatible server: chat, as a stream and not, tools, embeddings, models.

Owns addresses and checks in six dialects (`openai_dialects.py`); an answer is `openai_stream.py`'s.
Refuses to think: what it answers is the sample shop's. Rule: how one server differs from another is
asked of its dialect, never of its name.
"""

import base64
import math
import struct
import zlib
from typing import ClassVar

import msgspec
from msgspec import Struct

from qingniao.doubles.double import Answer, Call, Clock, Double, Json, Refusal, json_reply
from qingniao.doubles.faq import Faq, tokens
from qingniao.doubles.messages import Reply
from qingniao.doubles.openai_dialects import DIALECTS, Dialect
from qingniao.doubles.openai_messages import Chat
from qingniao.doubles.openai_stream import Telling
from qingniao.knowledge.grams import grams

__all__ = ["OpenAIDouble"]


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
        body = call.body(Chat)
        asked = [message for message in body.messages if message.role == "user"]
        question = call.question(asked[-1].text) if asked else ""
        self._admit(call)
        if body.model not in self.dialect.models:
            raise Refusal(self._fault("no_model"))
        if not body.messages:
            raise Refusal(self._fault("bad_request"))
        answer = Telling(self, self.dialect, call, body, question)
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
