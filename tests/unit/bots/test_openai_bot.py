"""The OpenAI-compatible adapter against its double, in six dialects."""

import json

import pytest
from asking import answer, ask
from doubles_house import StartDouble
from scripted_server import Says, ScriptedServer, says_events, says_json

from qingniao.bots.base import (
    Attachment,
    BotBusy,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    QueryRejected,
    ReplyTruncated,
    TrainingUnsupported,
    Turn,
    Working,
)
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.bots.openai_tools import Tool
from qingniao.doubles.faq import Faq
from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS
from qingniao.outgoing.client import Outgoing


def chunk(text: object = None, reason: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


@pytest.fixture(params=sorted(DIALECTS))
async def dialect(
    request: pytest.FixtureRequest, start_double: StartDouble, outgoing: Outgoing
) -> tuple[OpenAIBot, OpenAIDouble]:
    double = await start_double(OpenAIDouble, dialect=request.param)
    return made(double, outgoing), double


def made(double: OpenAIDouble, outgoing: Outgoing, **settings: object) -> OpenAIBot:
    fields = {"model": double.dialect.models[0], "base_url": double.base_url, "key": double.key}
    return OpenAIBot(outgoing, OpenAISettings(**fields | settings))  # type: ignore[arg-type]


@pytest.fixture
def bot(scripted: ScriptedServer, outgoing: Outgoing) -> OpenAIBot:
    return OpenAIBot(outgoing, OpenAISettings(model="m", base_url=scripted.url, idle_s=1))


async def test_answer_with_its_cost(dialect: tuple[OpenAIBot, OpenAIDouble], faq: Faq) -> None:
    done = await answer(dialect[0])
    assert done.text == faq.by_id["s01-01"].answer
    assert done.usage.prompt_tokens > 0
    assert done.usage.completion_tokens > 0
    assert not done.partial


@pytest.mark.parametrize(
    "words", ["split", "crlf", "odd", "reasoning", "no-done", "again", "drip:1"]
)
async def test_odd_wires_give_the_same_answer(
    dialect: tuple[OpenAIBot, OpenAIDouble], faq: Faq, words: str
) -> None:
    done = await answer(dialect[0], f"怎么退货？ [[{words}]]")
    assert done.text == faq.by_id["s01-01"].answer


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("unauthorized", BotMisconfigured),
        ("quota", BotOverQuota),
        ("rate", BotBusy),
        ("error", BotUnavailable),
        ("error-midway", BotUnavailable),
        ("filtered", QueryRejected),
        ("error:no_model", BotMisconfigured),
        ("error:too_long", QueryRejected),
    ],
)
async def test_errors_of_every_dialect(
    dialect: tuple[OpenAIBot, OpenAIDouble], words: str, error: type[BotError]
) -> None:
    bot, double = dialect
    name = words.removeprefix("error:")
    fault = double.dialect.faults.get(name)
    if name == "quota" and fault is not None and fault.status == 503:
        error = BotUnavailable  # a server of the house has no account that could be empty
    elif fault is None and not name.startswith(("error", "filtered")):
        error = BotError  # this server has no word of its own for it
    with pytest.raises(error):
        await ask(bot, f"怎么退货？ [[{words}]]")


async def test_length_limit_is_told(dialect: tuple[OpenAIBot, OpenAIDouble]) -> None:
    done = await answer(dialect[0], "怎么退货？ [[long]]")
    assert done.partial


async def test_health(dialect: tuple[OpenAIBot, OpenAIDouble], outgoing: Outgoing) -> None:
    bot, double = dialect
    assert (await bot.health()).is_ok
    other = await made(double, outgoing, model="no-such").health()
    assert not other.is_ok
    assert "no-such" in other.detail


async def test_request_is_what_the_settings_say(
    scripted: ScriptedServer, outgoing: Outgoing
) -> None:
    scripted.will(says_events(chunk("好", "stop"), "[DONE]"))
    settings = OpenAISettings(
        model="m", base_url=f"{scripted.url}/v1/", key="k", prompt="You sell {what}.",
        temperature=0.2, max_tokens=9, max_tokens_name="max_completion_tokens", history=1,
        prompt_price=2.0, sees_pictures=True, extra={"enable_thinking": False},
    )  # fmt: skip
    pictures = (
        Attachment(name="a.png", media_type="image/png", url="https://x.example/a.png"),
        Attachment(name="b.jpg", media_type="image/jpeg", url="http://in.side", content=b"jpg"),
        Attachment(name="c.pdf", media_type="application/pdf", content=b"%PDF-"),
    )
    history = (Turn(role="visitor", text="嗨"), Turn(role="agent", text="您好"))
    await answer(
        OpenAIBot(outgoing, settings), "这个呢", history=history, files=pictures,
        variables={"what": "coats"}, instructions="Be brief.",
    )  # fmt: skip
    (asked,) = scripted.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer k"
    body = asked.json
    assert body["messages"] == [
        {"role": "system", "content": "You sell coats."},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "您好"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "这个呢\n（访客发来文件：c.pdf）"},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,anBn"}},
            ],
        },
    ]
    assert body["max_completion_tokens"] == 9
    assert body["enable_thinking"] is False
    assert body["stream_options"] == {"include_usage": True}


async def test_price_is_reckoned(scripted: ScriptedServer, outgoing: Outgoing) -> None:
    usage = {"prompt_tokens": 500_000, "completion_tokens": 100_000}
    scripted.will(says_events(chunk("好", "stop"), {"choices": [], "usage": usage}, "[DONE]"))
    settings = OpenAISettings(
        model="m", base_url=scripted.url, prompt_price=2, completion_price=10, currency="CNY"
    )
    used = (await answer(OpenAIBot(outgoing, settings))).usage
    assert (used.cost, used.currency) == (2.0, "CNY")


ODD: dict[str, Says] = {
    "no finish reason": says_events(chunk("好"), "[DONE]"),
    "no [DONE]": says_events(chunk("好"), chunk(None, "stop")),
    "null delta": says_events(
        {"choices": [{"delta": None}]}, chunk("好"), {"choices": [{"finish_reason": "stop"}]}
    ),
    "null content": says_events(
        chunk(), {"choices": [{"delta": {"content": None}}]}, chunk("好", "stop")
    ),
    "message for delta": says_events(
        {"choices": [{"message": {"content": "好"}, "finish_reason": "stop"}]}
    ),
    "parts": says_events(chunk([{"type": "text", "text": "好"}], "stop")),
    "running usage": says_events(
        chunk("好", usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk(None, "stop", usage={"prompt_tokens": 3, "completion_tokens": 1}),
    ),
    "null error": says_events(chunk("好", "stop", error=None)),
    "thought aloud": says_events(
        chunk("<th"), chunk("ink>嗯</th"), chunk("ink>\n\n好"), chunk(None, "stop")
    ),
    "not a stream": says_json(
        {"choices": [{"message": {"role": "assistant", "content": "好"}, "finish_reason": "stop"}]}
    ),
    "breaks after the end": says_events(chunk("好", "stop"), ends="cut"),
    "more after the end": says_events(chunk("好", "stop"), "[DONE]", chunk("坏")),
    "strange event": Says((
        b'event: x\ndata: {"a":1}\n\n', b"data: ?\n\n",
        b'data: {"choices":[{"delta":{"content":"\xe5', b'\xa5\xbd"}}]}\n\ndata:[DONE]\n\n',
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
async def test_habits(bot: OpenAIBot, scripted: ScriptedServer, name: str) -> None:
    scripted.will(ODD[name])
    done = await answer(bot)
    assert done.text == "好"
    if name == "running usage":
        assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (3, 1)


async def test_server_that_does_not_count_is_asked_without(
    bot: OpenAIBot, scripted: ScriptedServer
) -> None:
    refusal = {"error": {"message": "Unrecognized request argument: stream_options"}}
    scripted.will(says_json(refusal, 400), says_events(chunk("好", "stop"), "[DONE]"))
    assert (await answer(bot)).text == "好"
    assert (await answer(bot)).text == "好"
    assert ["stream_options" in asked.json for asked in scripted.asked] == [True, False, False]


async def test_end_without_a_word_of_it_is_a_truncated_answer(
    bot: OpenAIBot, scripted: ScriptedServer
) -> None:
    scripted.will(says_events(chunk("您可以")))
    with pytest.raises(ReplyTruncated):
        await ask(bot)


def order_tool(asked: list[str], fails: bool = False) -> Tool:
    async def look_up(arguments: str) -> str:
        asked.append(arguments)
        if fails:
            raise OSError("secret path")
        return json.dumps({"status": "已发货"}, ensure_ascii=False)

    return Tool(
        name="lookup_order", description="Where an order is.", call=look_up,
        parameters={"type": "object", "properties": {"order_id": {"type": "string"}}},
    )  # fmt: skip


def call(*pieces: str, index: int | None = 0, id: str = "c1") -> list[dict[str, object]]:
    chunks = []
    for number, piece in enumerate(pieces):
        function = {"arguments": piece} | ({"name": "lookup_order"} if number == 0 else {})
        one: dict[str, object] = {"function": function}
        if index is not None:
            one["index"] = index
        if number == 0:
            one |= {"id": id, "type": "function"}
        chunks.append({"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]})
    return chunks


@pytest.mark.parametrize("index", [0, None])
async def test_tool_is_called_and_its_result_answered_with(
    scripted: ScriptedServer, outgoing: Outgoing, index: int | None
) -> None:
    scripted.will(
        says_events(
            *call('{"order', '_id":"42"}', index=index), chunk(None, "tool_calls"), "[DONE]"
        ),
        says_events(chunk("已发货", "stop"), "[DONE]"),
    )
    asked: list[str] = []
    settings = OpenAISettings(model="m", base_url=scripted.url)
    events = await ask(OpenAIBot(outgoing, settings, tools=[order_tool(asked)]))
    assert asked == ['{"order_id":"42"}']
    assert Working(step="lookup_order") in events
    messages = scripted.asked[1].json["messages"]
    assert messages[-2]["tool_calls"][0]["id"] == messages[-1]["tool_call_id"] == "c1"
    assert "已发货" in messages[-1]["content"]


async def test_failing_tool_is_told_to_the_model_and_not_how(
    scripted: ScriptedServer, outgoing: Outgoing
) -> None:
    scripted.will(
        says_events(*call("{}"), chunk(None, "tool_calls")), says_events(chunk("抱歉", "stop"))
    )
    settings = OpenAISettings(model="m", base_url=scripted.url)
    await answer(OpenAIBot(outgoing, settings, tools=[order_tool([], fails=True)]))
    told = scripted.asked[1].json["messages"][-1]["content"]
    assert "failed" in told
    assert "secret" not in told


async def test_model_that_only_calls_tools_is_stopped(
    scripted: ScriptedServer, outgoing: Outgoing
) -> None:
    scripted.will(says_events(*call("{}"), chunk(None, "tool_calls"), "[DONE]"))
    settings = OpenAISettings(model="m", base_url=scripted.url)
    with pytest.raises(BotGarbled, match="one tool after the other"):
        await ask(OpenAIBot(outgoing, settings, tools=[order_tool([])]))
    assert len(scripted.asked) == 5


async def test_double_calls_our_tool(start_double: StartDouble, outgoing: Outgoing) -> None:
    double = await start_double(OpenAIDouble)
    asked: list[str] = []
    settings = OpenAISettings(model="gpt-4o-mini", base_url=double.base_url, key=double.key)
    bot = OpenAIBot(outgoing, settings, tools=[order_tool(asked)])
    done = await answer(bot, "我的订单 20240001 到哪了")
    assert len(asked) == 1
    assert "已发货" in done.text


async def test_wish_for_a_person_is_an_action(scripted: ScriptedServer, outgoing: Outgoing) -> None:
    wish = {
        "index": 0,
        "id": "c",
        "function": {"name": "call_a_person", "arguments": '{"team":"售后","reason":"赔偿"}'},
    }
    scripted.will(
        says_events({"choices": [{"delta": {"tool_calls": [wish]}, "finish_reason": "tool_calls"}]})
    )
    settings = OpenAISettings(model="m", base_url=scripted.url, may_call_person=True)
    bot = OpenAIBot(outgoing, settings)
    (action,) = (await answer(bot)).actions
    assert (action.kind, action.name, action.reason) == ("handoff", "售后", "赔偿")
    assert bot.capabilities.acts


async def test_vectors_come_in_order(
    start_double: StartDouble, outgoing: Outgoing, scripted: ScriptedServer, bot: OpenAIBot
) -> None:
    double = await start_double(OpenAIDouble)
    model = double.dialect.embedding_model
    vectors = await made(double, outgoing, model=model).embed(["退货", "发票"])
    assert [len(v) for v in vectors] == [double.dialect.dimensions] * 2
    rows = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1, 0.5]}]
    packed = [{"embedding": "AACAPwAAAD8="}, {"embedding": "AAAAQA=="}]
    for data in (rows, packed):
        scripted.will(says_json({"data": data}))
        assert await bot.embed(["a", "b"]) == [[1, 0.5], [2]]
        scripted.answers.clear()
    scripted.will(says_json({"data": [{"embedding": "?"}, {"embedding": [1]}]}))
    with pytest.raises(BotGarbled, match="vectors"):
        await bot.embed(["a", "b"])


async def test_training_is_declined(bot: OpenAIBot) -> None:
    assert not bot.capabilities.trains
    with pytest.raises(TrainingUnsupported):
        await bot.train(())
