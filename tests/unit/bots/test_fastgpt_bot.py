"""The FastGPT adapter against its double: the detailed stream to its end, and the dataset."""

import asyncio

import pytest
from asking import answer, ask
from doubles_house import StartDouble
from msgspec import structs
from scripted_server import Says, ScriptedServer, says_json

from qingniao.bots.base import (
    Attachment,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    InputRequired,
    QueryRejected,
    ReplyTruncated,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.fastgpt import FastGPTBot, FastGPTSettings
from qingniao.bots.fastgpt_dataset import ROWS
from qingniao.bots.fastgpt_faults import read_fault
from qingniao.bots.http import Endpoint
from qingniao.doubles.faq import Faq
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.doubles.fastgpt_data import ACCOUNT_KEY, COLLECTION, DATASET
from qingniao.knowledge.entries import Entry
from qingniao.outgoing.client import Outgoing

CHAT = "fastgpt-double-chat"
APP = "66a1b2c3d4e5f60718293a4b"


@pytest.fixture
async def double(start_double: StartDouble) -> FastGPTDouble:
    found: FastGPTDouble = await start_double(FastGPTDouble)
    return found


@pytest.fixture
def chat(double: FastGPTDouble, outgoing: Outgoing) -> FastGPTBot:
    return FastGPTBot(outgoing, FastGPTSettings(key=CHAT, base_url=double.base_url, app=APP))


@pytest.fixture
def told(scripted: ScriptedServer, outgoing: Outgoing) -> FastGPTBot:
    settings = FastGPTSettings(
        key="k", base_url=scripted.url, dataset_key="a", dataset="d", collection="c", idle_s=1
    )
    return FastGPTBot(outgoing, settings)


async def test_answer_with_sources_that_come_after_its_end(chat: FastGPTBot, faq: Faq) -> None:
    done = await answer(chat)
    assert done.text == faq.by_id["s01-01"].answer
    assert done.citations
    assert all(cite.id and cite.title for cite in done.citations)
    assert done.message.startswith(done.remote)


@pytest.mark.parametrize(
    "words", ["split", "crlf", "odd", "reasoning", "repeat", "drip:1", "again"]
)
async def test_odd_wires_give_the_same_answer(chat: FastGPTBot, faq: Faq, words: str) -> None:
    done = await answer(chat, f"怎么退货？ [[{words}]]")
    assert done.text == faq.by_id["s01-01"].answer


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("unauthorized", BotMisconfigured), ("quota", BotOverQuota), ("error", BotError),
        ("error-midway", BotUnavailable), ("truncate", ReplyTruncated), ("loop", BotGarbled),
        ("cut", ReplyTruncated),
    ],
)  # fmt: skip
async def test_errors(chat: FastGPTBot, words: str, error: type[BotError]) -> None:
    with pytest.raises(error) as caught:
        await ask(chat, f"怎么退货？ [[{words}]]")
    assert str(caught.value).endswith(".") or "says" in str(caught.value)


async def test_choice_is_offered_as_buttons(chat: FastGPTBot) -> None:
    done = await answer(chat, "怎么退货？ [[form]]")
    assert done.options
    again = await answer(chat, done.options[0], remote=done.remote)
    assert again.remote == done.remote


async def test_dialogue_goes_on_under_the_same_id(chat: FastGPTBot) -> None:
    first = await answer(chat)
    assert (await answer(chat, "那运费呢", remote=first.remote)).remote == first.remote
    assert (await answer(chat)).remote != first.remote


@pytest.mark.parametrize(
    ("code", "word", "error"),
    [
        (403, "unAuthorization", BotMisconfigured), (510, "insufficientQuota", BotOverQuota),
        (511, "unAuthModel", BotMisconfigured), (513, "unAuthFile", QueryRejected),
        (514, "unAuthApiKey", BotMisconfigured), (500_000, "teamError", BotMisconfigured),
        (500_003, "aiPointsNotEnough", BotOverQuota), (501_000, "unExist", BotMisconfigured),
        (500, "", BotUnavailable), (None, "", BotUnavailable),
    ],
)  # fmt: skip
def test_codes_in_a_500(code: int | None, word: str, error: type[BotError]) -> None:
    found = read_fault(500, {"code": code, "statusText": word, "message": word, "data": None}, 0)
    assert type(found) is error
    # The same in a body of HTTP 200 is no success either.
    if code is not None:
        again = read_fault(200, {"code": code, "statusText": word, "message": word}, 0)
        assert type(again) is error


def test_success_is_none() -> None:
    assert read_fault(200, {"code": 200, "statusText": "", "message": "", "data": {}}, 0) is None
    assert read_fault(200, {"choices": []}, 0) is None


def delta(text: str, reason: str | None = None, name: str = "answer") -> bytes:
    import json

    body = {"choices": [{"delta": {"content": text}, "index": 0, "finish_reason": reason}]}
    return f"event: {name}\ndata: {json.dumps(body)}\n\n".encode()


DONE = b"event: answer\ndata: [DONE]\n\n"


@pytest.mark.parametrize(
    "says",
    [
        Says((delta("好"), delta("", "stop"), DONE), ends="hang"),
        Says((delta("好"), delta("", "stop"), DONE), ends="cut"),
        Says((delta("好"), DONE, b"event: flowResponses\ndata: [{\n\n")),
        Says((delta("好", name="fastAnswer"), DONE)),
        Says((delta("好", name=""), b"data: [DONE]\n\n")),
        Says(
            (b'event: plan\ndata: {"x":1}\n\n', delta("好"), b"event: workflowDuration\n\n", DONE)
        ),
        says_json({"choices": [{"message": {"content": "好"}, "finish_reason": "stop"}]}),
        says_json(
            {
                "choices": [
                    {
                        "message": {"content": [{"type": "text", "text": {"content": "好"}}]},
                        "finish_reason": "stop",
                    }
                ],
                "responseData": [{"quoteList": [{"id": "1", "q": "问", "a": "答"}]}],
            }
        ),
    ],
    ids=["hang", "cut", "broken sources", "fixed", "unnamed", "new events", "json", "parts"],
)
async def test_habits(
    told: FastGPTBot, scripted: ScriptedServer, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.bots.fastgpt.TAIL_S", 0.1)
    scripted.will(says)
    assert (await answer(told)).text == "好"


async def test_signs_of_life_after_the_end_are_not_listened_to(
    told: FastGPTBot, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.bots.fastgpt.TAIL_S", 0.2)
    step = b'event: flowNodeStatus\ndata: {"name":"x"}\n\n'
    scripted.will(Says((delta("好"), DONE, *[step] * 2_000), pause_s=0.05))
    async with asyncio.timeout(20):
        assert (await answer(told)).text == "好"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ('event: error\ndata: {"message":"模型报错"}', BotUnavailable),
        ('event: error\ndata: {"code":510,"statusText":"insufficientQuota"}', BotOverQuota),
        ("event: error\ndata: {}", BotUnavailable),
        (
            'event: interactive\ndata: {"interactive":{"type":"userInput","params":{}}}',
            InputRequired,
        ),
    ],
)
async def test_failure_in_the_middle(
    told: FastGPTBot, scripted: ScriptedServer, event: str, error: type[BotError]
) -> None:
    scripted.will(Says((delta("您可以"), event.encode() + b"\n\n", DONE)))
    with pytest.raises(error):
        await ask(told)


async def test_steps_are_told_and_files_go_along(
    told: FastGPTBot, scripted: ScriptedServer
) -> None:
    step = 'event: flowNodeStatus\ndata: {"status":"running","name":"知识库搜索"}\n\n'
    scripted.will(Says((step.encode(), delta("好"), DONE)))
    files = (
        Attachment(name="a.png", media_type="image/png", url="https://x.example/a.png"),
        Attachment(name="b.pdf", media_type="application/pdf", url="https://x.example/b.pdf"),
    )
    events = await ask(told, files=files, variables={"order": "42"})
    assert Working(step="知识库搜索") in events
    body = scripted.asked[0].json
    assert body["detail"] is True
    assert body["variables"] == {"order": "42"}
    assert [part["type"] for part in body["messages"][0]["content"]] == [
        "text", "image_url", "file_url",
    ]  # fmt: skip


def lesson(number: int) -> Entry:
    return Entry(id=str(number), question=f"问{number}", answer="答", alternatives=("另",))


async def test_lessons_are_pushed_in_parts(told: FastGPTBot, scripted: ScriptedServer) -> None:
    def taken(count: int, **more: object) -> Says:
        return says_json({"code": 200, "data": {"insertLen": count, "overToken": [], **more}})

    nothing = says_json({"code": 200, "data": {"list": [], "total": 0}})
    scripted.will(nothing, taken(ROWS), taken(3, repeat=[{"q": "问203"}], error=[{"q": "问204"}]))
    assert told.capabilities.trains
    report = await told.train([lesson(n) for n in range(ROWS + 5)])
    assert report.lessons == ROWS + 4
    assert report.problems == ("Left out, refused: 问204",)
    _, first, second = (asked.json for asked in scripted.asked)
    assert len(first["data"]) == ROWS
    assert second["data"][0] == {"q": f"问{ROWS}", "a": "答", "indexes": [{"text": "另"}]}
    assert scripted.asked[0].headers["authorization"] == "Bearer a"


@pytest.mark.parametrize("wrapped", [False, True])
async def test_search_reads_old_and_new_answers(
    told: FastGPTBot, scripted: ScriptedServer, wrapped: bool
) -> None:
    rows = [
        {"id": "1", "q": "问", "a": "答", "sourceName": "表", "score": 0.3},
        {"id": "2", "q": "问", "a": "答", "score": [{"type": "embedding", "value": 0.8}]},
    ]
    scripted.will(says_json({"code": 200, "data": {"list": rows} if wrapped else rows}))
    found = await told.search("导演")
    assert [(row.id, row.score) for row in found] == [("2", 0.8), ("1", 0.3)]


async def test_double_learns_and_finds(double: FastGPTDouble, outgoing: Outgoing) -> None:
    account = FastGPTSettings(key=CHAT, base_url=double.base_url, dataset_key=ACCOUNT_KEY)
    endpoint = Endpoint(
        outgoing, double.base_url, reading=read_fault,
        headers={"Authorization": f"Bearer {ACCOUNT_KEY}"},
    )  # fmt: skip
    made = await endpoint.call("POST", "/core/dataset/create", {"name": "x", "type": "dataset"})
    dataset = made["data"]
    body = {"datasetId": dataset, "name": "y", "type": "virtual", "text": ""}
    made = await endpoint.call("POST", "/core/dataset/collection/create", body)
    settings = structs.replace(account, dataset=dataset, collection=made["data"])
    bot = FastGPTBot(outgoing, settings)
    taught = Entry(
        id="1", question="能寄到月球吗", answer="暂时不能。", alternatives=("月球包邮吗",)
    )
    assert (await bot.train([taught])).lessons == 1
    assert (await bot.train([taught])).lessons == 1
    found = await bot.search("寄到月球")
    assert found[0].answer == "暂时不能。"
    # What is no lesson any more, or has another answer, goes; the rest stays what it was.
    many = [Entry(id=f"m{n}", question=f"第 {n} 问", answer=f"答 {n}") for n in range(70)]
    await bot.train([taught, *many])
    kept = (await bot.search("寄到月球"))[0].id
    changed = structs.replace(many[0], answer="改了")
    report = await bot.train([taught, changed, *many[1:40]])
    assert (report.lessons, report.problems) == (41, ())
    body = {"collectionId": settings.collection, "offset": 0, "pageSize": 200}
    rows = (await endpoint.call("POST", "/core/dataset/data/v2/list", body))["data"]["list"]
    assert sorted((row["q"], row["a"]) for row in rows) == sorted(
        (lesson.question, lesson.answer) for lesson in (taught, changed, *many[1:40])
    )
    assert (await bot.search("寄到月球"))[0].id == kept


@pytest.mark.parametrize("broken", ["list", "push", "delete"])
async def test_training_that_fails_leaves_too_much_and_never_too_little(
    double: FastGPTDouble, outgoing: Outgoing, broken: str
) -> None:
    settings = FastGPTSettings(
        key=CHAT, base_url=double.base_url, dataset_key=ACCOUNT_KEY, dataset=DATASET,
        collection=COLLECTION,
    )  # fmt: skip
    bot = FastGPTBot(outgoing, settings)
    old, new = (Entry(id=w, question=f"{w}问", answer=f"{w}答") for w in ("旧", "新"))
    await bot.train([old])
    path = {"list": "/v2/list", "push": "/pushData", "delete": "/data/delete"}[broken]
    double.play("error", times=1, path=path)
    with pytest.raises(BotError):
        await bot.train([new])
    held = {row.answer for row in await bot.search("问")}
    assert "旧答" in held
    assert ("新答" in held) == (broken == "delete")
    await bot.train([new])
    assert {row.answer for row in await bot.search("问")} == {"新答"}


async def test_without_a_collection_it_cannot_be_trained(chat: FastGPTBot) -> None:
    assert not chat.capabilities.trains
    with pytest.raises(TrainingUnsupported):
        await chat.train([lesson(1)])
    with pytest.raises(BotMisconfigured, match="dataset"):
        await chat.search("x")


async def test_health(chat: FastGPTBot, double: FastGPTDouble, outgoing: Outgoing) -> None:
    assert (await chat.health()).is_ok
    wrong = FastGPTBot(outgoing, FastGPTSettings(key="fastgpt-x", base_url=double.base_url))
    health = await wrong.health()
    assert not health.is_ok
    assert "key" in health.detail


async def test_feedback(chat: FastGPTBot) -> None:
    done = await answer(chat)
    await chat.feedback(done.message, "v7", "good")
    await chat.feedback(done.message, "v7", "bad", "not so")
    await chat.feedback(done.message, "v7", "none")
