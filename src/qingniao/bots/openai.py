"""Anything that speaks OpenAI's chat completions: OpenAI, DeepSeek, Qwen, vLLM, Ollama, LiteLLM.

Owns what is asked, and the rounds in which a model calls tools (`openai_tools`); `openai_chunks`
reads the answer with its dialects. Rule: an answer is whole when a finish reason or `[DONE]` said
so; what a model thinks aloud is nobody's to see.
"""

import asyncio
import struct
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct

from qingniao.bots.base import (
    BotError,
    BotGarbled,
    Capabilities,
    Grounded,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    ReplyTruncated,
    TrainingReport,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.fields import as_dict, as_list, as_text
from qingniao.bots.files import data_url, in_words
from qingniao.bots.http import Endpoint, EventStream, bearer
from qingniao.bots.openai_chunks import Chunks, read_fault
from qingniao.bots.openai_tools import HANDOFF, Tool, Tools, asked
from qingniao.bots.platform import PlatformBot
from qingniao.bots.writing import Writing
from qingniao.outgoing.client import Outgoing

__all__ = ["OpenAIBot", "OpenAISettings"]

ROUNDS: Final = 5
"""Of tools in one answer; a model that wants more goes round in circles."""
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
TAIL_S: Final = 3.0
"""How long the count of tokens may take once the answer is whole."""


class OpenAISettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model at one address. `base_url` ends where `/chat/completions` begins."""

    model: str
    base_url: str = "https://api.openai.com/v1"
    key: str = ""
    """Empty: none is sent, as for a model of the house."""
    prompt: str = ""
    """What the model is told about its work."""
    temperature: float | None = None
    max_tokens: int | None = None
    max_tokens_name: str = "max_tokens"
    """`max_completion_tokens` for models that want that name."""
    may_call_person: bool = False
    """Offer the tool that calls a person."""
    sees_pictures: bool = False
    """The model looks at pictures; many refuse a question that comes with one."""
    history: int = 12
    """Earlier messages that are sent along."""
    prompt_price: float = 0.0
    """Of a million tokens, in `currency`."""
    completion_price: float = 0.0
    currency: str = ""
    extra: dict[str, Any] = {}
    """Further fields of the request, as one provider or the other wants them."""
    connect_s: float = 5.0
    idle_s: float = 90.0


class OpenAIBot(PlatformBot):
    """Implements `BotService`, and `embed` beside it."""

    def __init__(
        self,
        outgoing: Outgoing,
        settings: OpenAISettings,
        *,
        name: str = "openai",
        tools: Sequence[Tool] = (),
    ) -> None:
        self._settings = settings
        self._tools = Tools((*tools, HANDOFF) if settings.may_call_person else tools)
        self._counts_tokens = True
        endpoint = Endpoint(
            outgoing,
            settings.base_url,
            reading=read_fault,
            headers=bearer(settings.key),
            connect_s=settings.connect_s,
            idle_s=settings.idle_s,
        )
        super().__init__(endpoint, name)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True,
            measures_confidence=False,
            cites=False,
            trains=False,
            leaves_house=True,
            acts=bool(self._tools.offered),
            reads_files=self._settings.sees_pictures,
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        writing = Writing()
        messages = self._messages(query)
        has_begun = False
        for _ in range(ROUNDS):
            chunks = Chunks(writing)
            async with aclosing(self._round(messages, chunks)) as events:
                async for told in events:
                    if not isinstance(told, Grounded):
                        yield told
                    elif not has_begun:
                        has_begun = True
                        yield told
            if not chunks.is_whole:
                raise ReplyTruncated
            calls = chunks.calls
            if not calls:
                break
            if wishes := self._tools.wishes(calls):
                writing.actions += wishes
                break
            messages.append(asked(writing.text, calls))
            for call in calls:
                yield Working(step=call.name)
                messages.append(await self._tools.call(call))
        else:
            raise BotGarbled("The model calls one tool after the other and does not answer.")
        for last in writing.finish():
            yield last
        self._price(writing)
        yield writing.done()

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        raise TrainingUnsupported("A model is not trained from here: write into its prompt.")

    async def _look(self) -> Health:
        told = await self._endpoint.call("GET", "/models")
        models = [as_text(as_dict(one).get("id")) for one in as_list(told.get("data"))]
        wanted = self._settings.model
        # Some servers list a model with its tag, `qwen3:latest`, and answer to either.
        if models and not any(m in (wanted, f"{wanted}:latest") for m in models):
            known = ", ".join(models[:8])
            return Health(
                is_ok=False, detail=f"There is no model {wanted} here; there is: {known}."
            )
        return Health(is_ok=True, version=wanted)

    async def embed(self, texts: Sequence[str], *, model: str = "") -> list[list[float]]:
        """A vector for each text, in their order. Raises `BotError`."""
        body = {
            "model": model or self._settings.model,
            "input": list(texts),
            "encoding_format": "float",
        }
        told = await self._endpoint.call("POST", "/embeddings", body)
        vectors: dict[int, list[float]] = {}
        for place, row in enumerate(map(as_dict, as_list(told.get("data")))):
            index = row.get("index", place)
            vector = _vector(row.get("embedding"))
            if isinstance(index, int) and vector:
                vectors[index] = vector
        if sorted(vectors) != list(range(len(texts))):
            raise BotGarbled(f"The model gave {len(vectors)} vectors for {len(texts)} texts.")
        return [vectors[n] for n in range(len(texts))]

    async def _round(
        self, messages: list[dict[str, Any]], chunks: Chunks
    ) -> AsyncGenerator[ReplyEvent]:
        """One request; again without the count of tokens, if it did not understand that."""
        for counts in (self._counts_tokens, False):
            try:
                body = self._body(messages, counts)
                async with self._endpoint.events("/chat/completions", body) as events:
                    yield Grounded()
                    async for event in events:
                        for told in chunks.take(event):
                            yield told
                        if chunks.is_over:
                            return
                        if chunks.is_whole:
                            break
                    if chunks.is_whole:
                        await _rest(events, chunks)
                return
            except BotError as exc:
                if not counts or "stream_options" not in str(exc):
                    raise
                self._counts_tokens = False

    def _body(self, messages: list[dict[str, Any]], counts: bool) -> dict[str, Any]:
        settings = self._settings
        body: dict[str, Any] = {"model": settings.model, "messages": messages, "stream": True}
        if counts:
            body["stream_options"] = {"include_usage": True}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            body[settings.max_tokens_name] = settings.max_tokens
        if self._tools.offered:
            body["tools"] = self._tools.offered
        return body | settings.extra

    def _messages(self, query: Query) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self._settings.prompt:
            messages.append({"role": "system", "content": _filled(self._settings.prompt, query)})
        if query.instructions:
            messages.append({"role": "system", "content": query.instructions})
        if self._settings.history:
            for turn in query.history[-self._settings.history :]:
                role = "user" if turn.role == "visitor" else "assistant"
                messages.append({"role": role, "content": turn.text})
        images = []
        if self._settings.sees_pictures:
            images = [f for f in query.files if f.media_type in _PICTURES and data_url(f)]
        query = in_words(query, [f for f in query.files if f not in images])
        content: str | list[dict[str, Any]] = query.text
        if images:
            content = [{"type": "text", "text": query.text}]
            content += [{"type": "image_url", "image_url": {"url": data_url(f)}} for f in images]
        messages.append({"role": "user", "content": content})
        return messages

    def _price(self, writing: Writing) -> None:
        settings = self._settings
        writing.cost = (
            writing.prompt_tokens * settings.prompt_price
            + writing.completion_tokens * settings.completion_price
        ) / 1_000_000
        if writing.cost:
            writing.currency = settings.currency


async def _rest(events: EventStream, chunks: Chunks) -> None:
    """The answer is whole; the count of tokens may follow, and nobody waits long for it."""
    try:
        async with asyncio.timeout(TAIL_S):
            async for event in events:
                chunks.take(event)
                if chunks.is_over:
                    return
    except Exception:  # whatever breaks now, the answer is there
        return


def _filled(prompt: str, query: Query) -> str:
    """`{name}` in a prompt stands for the flow's value of that name, if there is one."""
    for name, value in query.variables.items():
        prompt = prompt.replace("{" + name + "}", value)
    return prompt


def _vector(value: object) -> list[float]:
    """A list of numbers, or the same as base64 of 32-bit floats, which some servers always send."""
    if isinstance(value, str):
        try:
            packed = b64decode(value)
            return list(struct.unpack(f"<{len(packed) // 4}f", packed))
        except (ValueError, struct.error):
            return []
    return [float(x) for x in as_list(value) if isinstance(x, int | float)]
