"""The OpenAI-compatible double: chat, tools, embeddings, models, and six ways to say them."""

import base64
import struct
from typing import Any

import pytest
from doubles_house import Client, Heard, StartDouble

from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS

LOOKUP = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}


class Server:
    """A double and how it is asked."""

    def __init__(self, double: OpenAIDouble, client: Client) -> None:
        self.double, self._client = double, client

    async def ask(self, question: str, *, system: str = "", **body: Any) -> Heard:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": question})
        body = {"model": self.double.dialect.models[0], "messages": messages, **body}
        return await self.call("POST", "/chat/completions", body)

    async def call(self, method: str, path: str, body: Any = None, key: str = "") -> Heard:
        url = self.double.base_url + path
        return await self._client.ask(method, url, body, key=key or self.double.key)


@pytest.fixture
async def server(start_double: StartDouble, client: Client) -> Server:
    return Server(await start_double(OpenAIDouble), client)


@pytest.fixture(params=sorted(DIALECTS))
async def dialect(start_double: StartDouble, client: Client, request) -> Server:
    return Server(await start_double(OpenAIDouble, dialect=request.param), client)


async def test_whole_answer(server: Server, faq) -> None:
    heard = await server.ask("怎么退货？")
    body = heard.json
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == faq.by_id["s01-01"].answer
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]


async def test_stream_of_every_dialect_joins_to_the_answer(dialect: Server, faq) -> None:
    heard = await dialect.ask("怎么退货？", stream=True, stream_options={"include_usage": True})
    data = [one for _, one in heard.events]
    assert data.pop() == "[DONE]"
    choices = [chunk["choices"][0] for chunk in data if chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert text == faq.by_id["s01-01"].answer
    assert [choice["finish_reason"] for choice in choices][-2:] == [None, "stop"]
    assert data[-1]["usage"]["completion_tokens"] > 10
    assert {chunk["id"] for chunk in data} == {data[0]["id"]}


@pytest.mark.parametrize("name", ["unauthorized", "rate", "quota", "error"])
async def test_every_dialect_has_every_fault(dialect: Server, name: str) -> None:
    heard = await dialect.ask(f"你好 [[{name}]]", stream=True)
    assert heard.status == dialect.double.dialect.fault(name).status >= 400
    assert heard.headers["content-type"] == "application/json"
    assert "error" in heard.json or heard.json["object"] == "error"


async def test_fault_by_name(server: Server) -> None:
    heard = await server.ask("你好 [[error:too_long]]")
    assert heard.json["error"]["code"] == "context_length_exceeded"


async def test_rate_says_when_and_quota_does_not(server: Server) -> None:
    rate, quota = await server.ask("[[rate]]"), await server.ask("[[quota]]")
    assert (rate.status, rate.headers["retry-after"]) == (429, "1")
    assert (quota.status, "retry-after" in quota.headers) == (429, False)
    assert quota.json["error"]["code"] == "insufficient_quota"


async def test_error_midway_is_told_at_http_200(dialect: Server) -> None:
    heard = await dialect.ask("怎么退货？ [[error-midway]]", stream=True)
    data = [one for _, one in heard.events]
    assert heard.status == 200
    if dialect.double.dialect.name == "vllm":
        assert data.pop() == "[DONE]"
    assert "error" in data[-1]
    assert any(chunk["choices"][0]["delta"].get("content") for chunk in data[:-1])


async def test_wrong_key_is_refused_where_one_is_needed(dialect: Server) -> None:
    heard = await dialect.call("GET", "/models", key="sk-other")
    assert heard.status == (401 if dialect.double.dialect.needs_key else 200)


async def test_thoughts_come_in_a_field_of_their_own(start_double, client, faq) -> None:
    server = Server(await start_double(OpenAIDouble, dialect="deepseek"), client)
    heard = await server.ask("怎么退货？", stream=True, model="deepseek-reasoner")
    deltas = [one["choices"][0]["delta"] for _, one in heard.events if one != "[DONE]"]
    assert any(delta.get("reasoning_content") for delta in deltas)
    assert "".join(d.get("content") or "" for d in deltas) == faq.by_id["s01-01"].answer


@pytest.mark.parametrize(("words", "reason"), [("long", "length"), ("filtered", "content_filter")])
async def test_answer_cut_short_says_why(server: Server, words: str, reason: str, faq) -> None:
    choice = (await server.ask(f"怎么退货？ [[{words}]]")).json["choices"][0]
    assert choice["finish_reason"] == reason
    assert faq.by_id["s01-01"].answer.startswith(choice["message"]["content"])


async def test_limit_of_tokens_is_kept(server: Server) -> None:
    body = (await server.ask("怎么退货？", max_tokens=10)).json
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] <= 10


async def test_stream_without_its_done(server: Server) -> None:
    heard = await server.ask("你好 [[no-done]]", stream=True)
    assert heard.events[-1][1]["choices"][0]["finish_reason"] == "stop"


async def test_odd_stream_says_the_same(server: Server, faq) -> None:
    heard = await server.ask("怎么退货？ [[odd]]", stream=True)
    chunks = [one for _, one in heard.events if isinstance(one, dict) and one["choices"]]
    deltas = [chunk["choices"][0].get("delta") or {} for chunk in chunks]
    assert "".join(d.get("content") or "" for d in deltas) == faq.by_id["s01-01"].answer
    assert b"data:{" in heard.raw
    assert b": keep-alive" in heard.raw
    assert heard.raw.index(b"[DONE]") < heard.raw.rindex(b"data: ")


@pytest.mark.parametrize("name", ["openai", "ollama"])
async def test_tool_call_comes_in_pieces(start_double, client, name: str) -> None:
    server = Server(await start_double(OpenAIDouble, dialect=name), client)
    heard = await server.ask("订单 A12345 到哪了？", stream=True, tools=[LOOKUP])
    chunks = [one["choices"][0] for _, one in heard.events if one != "[DONE]"]
    calls = [part for c in chunks for part in c["delta"].get("tool_calls", ())]
    assert calls[0]["function"]["name"] == "lookup_order"
    assert "".join(c["function"]["arguments"] for c in calls) == '{"order_id":"A12345"}'
    assert (len(calls) == 1) == (name == "ollama")
    assert chunks[-1]["finish_reason"] == "tool_calls"


async def test_result_of_a_tool_is_used(server: Server) -> None:
    messages = [
        {"role": "user", "content": "订单 A12345 到哪了？"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "已到杭州"},
    ]
    heard = await server.ask("", messages=messages, tools=[LOOKUP])
    assert heard.json["choices"][0]["message"]["content"] == "查到了：已到杭州"


async def test_no_tool_is_called_without_need(server: Server) -> None:
    for choice in ("auto", "none"):
        heard = await server.ask("怎么退货？", tools=[LOOKUP], tool_choice=choice)
        assert heard.json["choices"][0]["finish_reason"] == "stop"
    forced = {"type": "function", "function": {"name": "lookup_order"}}
    heard = await server.ask("怎么退货？", tools=[LOOKUP], tool_choice=forced)
    assert heard.json["choices"][0]["finish_reason"] == "tool_calls"


async def test_list_of_labels_makes_a_classifier(server: Server) -> None:
    system = "Classify. Answer with one label:\n- 退货: returns\n- 物流: delivery\n- 其他: rest"
    for question, label in {
        "衣服不想要了怎么退": "退货",
        "快递几天能到？": "物流",
        "今天天气": "其他",
    }.items():
        heard = await server.ask(question, system=system)
        assert heard.json["choices"][0]["message"]["content"] == label


async def test_schema_with_choices_makes_a_classifier(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"intent": {"type": "string", "enum": ["greeting", "handoff", "question"]}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "intent", "schema": schema}}
    heard = await server.ask("转人工", response_format=form)
    assert heard.json["choices"][0]["message"]["content"] == '{"intent":"handoff"}'


async def test_embeddings_are_alike_where_questions_are(server: Server) -> None:
    texts = ["怎么退货？", "退货怎么办理", "衣服是什么面料？"]
    body = {"model": "text-embedding-3-small", "input": texts}
    data = (await server.call("POST", "/embeddings", body)).json["data"]
    a, b, c = (one["embedding"] for one in data)
    assert len(a) == 1_536
    assert _dot(a, a) == pytest.approx(1)
    assert _dot(a, b) > 2 * _dot(a, c)
    coded = {**body, "encoding_format": "base64"}
    data = (await server.call("POST", "/embeddings", coded)).json["data"]
    again = struct.unpack("<1536f", base64.b64decode(data[0]["embedding"]))
    assert again == pytest.approx(a)


async def test_embeddings_are_ordered_by_index_alone(server: Server) -> None:
    body = {"model": "text-embedding-3-small", "input": ["一", "二 [[odd]]"], "dimensions": 8}
    data = (await server.call("POST", "/embeddings", body)).json["data"]
    assert [(one["index"], len(one["embedding"])) for one in data] == [(1, 8), (0, 8)]


async def test_models(dialect: Server) -> None:
    names = [one["id"] for one in (await dialect.call("GET", "/models")).json["data"]]
    assert names[0] == dialect.double.dialect.models[0]
    assert (await dialect.ask("你好", model="nobody")).status in (400, 404)


@pytest.mark.parametrize("body", [{}, {"model": "gpt-4o-mini", "messages": "hi"}, []])
async def test_bad_body_is_refused(server: Server, body: object) -> None:
    assert (await server.call("POST", "/chat/completions", body)).status == 400


async def test_wrong_address_and_method(server: Server) -> None:
    assert (await server.call("GET", "/chat")).status == 404
    assert (await server.call("GET", "/chat/completions")).status == 405


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
