"""Another server that speaks OpenAI's interface: our adapter understands it, and our double says
the same things in the same order.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from doubles_house import Client, StartDouble
from oracle_house import server

from qingniao.bots.base import BotBusy, BotError, Done, Query
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.doubles.openai import OpenAIDouble
from qingniao.outgoing.client import Outgoing

pytestmark = pytest.mark.oracle
ANSWER = "请打开“我的订单”，点“申请退货”。"
FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "怎么退货"}, "response": {"content": ANSWER}},
        {
            "match": {"userMessage": "订单 A12345"},
            "response": {
                "toolCalls": [{"name": "lookup_order", "arguments": {"order_id": "A12345"}}]
            },
        },
        {
            "match": {"userMessage": "太多"},
            "response": {
                "error": {"message": "slow down", "type": "requests", "code": "rate_limit"},
                "status": 429,
            },
        },
    ]
}
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}


@pytest.fixture
async def aimock(tmp_path: Path) -> AsyncIterator[str]:
    file = tmp_path / "fixtures.json"
    file.write_text(json.dumps(FIXTURES), "utf-8")
    run = ("-p", "{port}", "-h", "127.0.0.1", "-f", str(file))
    async with server("llmock", *run, ready="http://") as url:
        yield url


async def _reply(outgoing: Outgoing, url: str, text: str) -> Done:
    settings = OpenAISettings(model="gpt-4o-mini", base_url=f"{url}/v1", key="sk-x")
    bot = OpenAIBot(outgoing, settings)
    events = [event async for event in bot.reply(Query(conversation=1, text=text))]
    assert isinstance(events[-1], Done)
    return events[-1]


async def test_adapter_understands_it(aimock: str, outgoing: Outgoing) -> None:
    done = await _reply(outgoing, aimock, "怎么退货？")
    assert done.text == ANSWER
    assert done.usage.completion_tokens > 0
    with pytest.raises(BotBusy):
        await _reply(outgoing, aimock, "太多了")
    with pytest.raises(BotError):
        await _reply(outgoing, aimock, "没有准备的问题")


@pytest.mark.parametrize("text", ["怎么退货？", "订单 A12345 到哪了？"])
async def test_double_says_the_same_in_the_same_order(
    aimock: str, start_double: StartDouble, text: str
) -> None:
    double = await start_double(OpenAIDouble)
    body = {
        "model": "gpt-4o-mini", "stream": True, "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": text}], "tools": [TOOL],
    }  # fmt: skip
    async with httpx.AsyncClient(trust_env=False) as http:
        client = Client(http)
        theirs, ours = [
            [_shape(data) for _, data in heard.events]
            for heard in (
                await client.ask("POST", f"{aimock}/v1/chat/completions", body, key="sk-x"),
                await client.ask(
                    "POST", f"{double.base_url}/chat/completions", body, key=double.key
                ),
            )
        ]
    assert _joined(ours) == _joined(theirs)


def _shape(data: Any) -> str:
    """What kind of chunk it is, without its words."""
    if not isinstance(data, dict):
        return str(data)
    if not data["choices"]:
        return f"usage {sorted(data['usage'])}"
    choice = data["choices"][0]
    delta = {name: type(value).__name__ for name, value in choice["delta"].items()}
    return f"{sorted(delta.items())} {choice['finish_reason']}"


def _joined(shapes: list[str]) -> list[str]:
    return [shape for n, shape in enumerate(shapes) if n == 0 or shapes[n - 1] != shape]
