"""The FastGPT double: named events, errors at the wrong status, datasets, and the classifier."""

import asyncio
from typing import Any

import pytest
from doubles_house import Client, Heard, StartDouble

from qingniao.doubles.fastgpt import LABELS, FastGPTDouble
from qingniao.doubles.fastgpt_faults import FAULTS

CHAT, SORT = "fastgpt-double-chat", "fastgpt-double-classifier"
ACCOUNT = "fastgpt-double-account"


class FastGPT:
    """A double and how it is asked."""

    def __init__(self, double: FastGPTDouble, client: Client) -> None:
        self.double, self._client = double, client

    async def call(
        self, method: str, path: str, body: Any = None, key: str = ACCOUNT, **more: Any
    ) -> Heard:
        return await self._client.ask(method, self.double.base_url + path, body, key=key, **more)

    async def ask(self, text: str, *, key: str = CHAT, version: str = "v1", **body: Any) -> Heard:
        body = {"messages": [{"role": "user", "content": text}], **body}
        return await self.call("POST", f"/{version}/chat/completions", body, key)

    async def stream(self, text: str, **body: Any) -> list[tuple[str, Any]]:
        heard = await self.ask(text, stream=True, detail=True, **body)
        assert heard.status == 200
        assert heard.headers["content-type"] == "text/event-stream;charset=utf-8"
        return heard.events

    async def data(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        heard = await self.call(method, f"/core/dataset{path}", body, **more)
        assert (heard.status, heard.json["code"]) == (200, 200), heard.text
        return heard.json["data"]


@pytest.fixture
async def fastgpt(start_double: StartDouble, client: Client) -> FastGPT:
    return FastGPT(await start_double(FastGPTDouble), client)


def _text(events: list[tuple[str, Any]], field: str = "content") -> str:
    return "".join(
        data["choices"][0]["delta"].get(field) or ""
        for name, data in events
        if name in ("answer", "fastAnswer", "") and isinstance(data, dict)
    )


def _names(events: list[tuple[str, Any]]) -> list[str]:
    names = [name for name, _ in events]
    return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]


async def test_done_is_not_the_last_event(fastgpt: FastGPT, faq) -> None:
    events = await fastgpt.stream("怎么退货？")
    assert _names(events) == ["flowNodeStatus", "answer", "flowResponses"]
    assert events[-2] == ("answer", "[DONE]")
    assert events[-3][1]["choices"][0] == {"delta": {}, "index": 0, "finish_reason": "stop"}
    assert _text(events) == faq.by_id["s01-01"].answer
    search = next(one for one in events[-1][1] if one["moduleType"] == "datasetSearchNode")
    assert search["quoteList"][0]["id"] == "s01-01"
    assert search["quoteList"][0]["score"][0]["type"] == "embedding"


async def test_second_version_reports_each_node(fastgpt: FastGPT) -> None:
    events = await fastgpt.stream("怎么退货？", version="v2")
    assert _names(events)[-3:] == ["flowNodeResponse", "workflowDuration", "answer"]
    assert events[-1] == ("answer", "[DONE]")


async def test_without_detail_events_have_no_names(fastgpt: FastGPT, faq) -> None:
    events = (await fastgpt.ask("怎么退货？", stream=True)).events
    assert {name for name, _ in events} == {""}
    assert events[-1] == ("", "[DONE]")
    assert _text(events) == faq.by_id["s01-01"].answer


async def test_whole_answer(fastgpt: FastGPT, faq) -> None:
    body = (await fastgpt.ask("怎么退货？", chatId="c1")).json
    assert body["choices"][0]["message"]["content"] == faq.by_id["s01-01"].answer
    assert (body["id"], body["usage"]["total_tokens"]) == ("c1", 1)
    assert "responseData" not in body
    assert (await fastgpt.ask("怎么退货？", detail=True)).json["responseData"]


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_error_is_http_500_or_an_event_at_200(fastgpt: FastGPT, name: str) -> None:
    (code, message), status_text = FAULTS[name], name
    heard = await fastgpt.ask(f"你好 [[error:{name}]]")
    assert (heard.status, heard.json["code"]) == (500, code)
    assert (heard.json["statusText"], heard.json["data"]) == (status_text, None)
    heard = await fastgpt.ask(f"你好 [[error:{name}]]", stream=True)
    assert heard.status == 200
    assert "content-type" not in heard.headers
    ((event, data),) = heard.events
    assert (event, data["message"]) == ("error", message)


async def test_failure_midway_is_hidden_without_detail(fastgpt: FastGPT, faq) -> None:
    events = await fastgpt.stream("怎么退货？ [[error-midway]]")
    assert "error" in _names(events)
    assert 0 < len(_text(events)) < len(faq.by_id["s01-01"].answer)
    bare = (await fastgpt.ask("怎么退货？ [[error-midway]]", stream=True)).events
    assert bare[-1] == ("", "[DONE]")
    assert _text(bare) == _text(events)
    whole = await fastgpt.ask("怎么退货？ [[error-midway]]")
    assert (whole.status, whole.json["error"]["code"]) == (200, 500)


async def test_keys_are_of_a_kind(fastgpt: FastGPT) -> None:
    assert "account key" in (await fastgpt.ask("你好", key=ACCOUNT)).json["message"]
    assert (await fastgpt.ask("你好", key="fastgpt-x")).json["code"] == 514
    heard = await fastgpt.call("POST", "/core/dataset/create", {"name": "x"}, key=CHAT)
    assert (heard.status, heard.json["code"]) == (500, 514)


@pytest.mark.parametrize(
    ("question", "label"),
    [("衣服不想要了怎么退", "售后"), ("快递几天能到？", "物流"), ("我要找人工客服", "转人工"),
     ("尺码怎么选？", "售前"), ("今天天气", "其他")],
)  # fmt: skip
async def test_classifier_chooses_a_label(fastgpt: FastGPT, question: str, label: str) -> None:
    events = await fastgpt.stream(question, key=SORT)
    assert _text(events) == label
    assert "fastAnswer" in _names(events)
    node = next(one for one in events[-1][1] if one["moduleType"] == "classifyQuestion")
    assert node["cqResult"] == label
    assert [one["value"] for one in node["cqList"]] == list(LABELS)


async def test_classifier_takes_labels_from_outside(fastgpt: FastGPT) -> None:
    variables = {"labels": "greeting, handoff, question"}
    wanted = {"嗨": "greeting", "我要找人工客服": "handoff", "怎么退货": "question"}
    for question, label in wanted.items():
        heard = await fastgpt.ask(question, key=SORT, variables=variables)
        assert heard.json["choices"][0]["message"]["content"] == label


async def test_what_was_pushed_is_found_and_answered(fastgpt: FastGPT) -> None:
    dataset = await fastgpt.data("POST", "/create", {"name": "店规", "parentId": None})
    collection = await fastgpt.data(
        "POST", "/collection/create", {"datasetId": dataset, "name": "手册", "type": "virtual"}
    )
    rows = [
        {"q": "店里养猫吗？", "a": "养，叫小雀。", "indexes": [{"text": "有没有猫"}]},
        {"q": "店里养猫吗？", "a": "养，叫小雀。"},
        {"q": " ", "a": "空"},
    ]
    push = {"collectionId": collection, "trainingType": "chunk", "data": rows}
    told = await fastgpt.data("POST", "/data/pushData", push)
    assert (told["insertLen"], len(told["repeat"]), len(told["error"])) == (1, 1, 1)
    search = {"datasetId": dataset, "text": "有没有猫？", "searchMode": "embedding"}
    found = (await fastgpt.data("POST", "/searchTest", search))["list"]
    assert [(one["q"], one["sourceName"]) for one in found] == [("店里养猫吗？", "手册")]
    old = await fastgpt.data("POST", "/searchTest", {**search, "text": "有没有猫？ [[old]]"})
    assert isinstance(old[0]["score"], float)
    answer = (await fastgpt.ask("店里养猫吗")).json["choices"][0]["message"]["content"]
    assert answer == "养，叫小雀。"
    listed = await fastgpt.data("POST", "/data/v2/list", {"collectionId": collection})
    assert listed["total"] == 1
    await fastgpt.data("POST", "/collection/delete", {"collectionIds": [collection]})
    assert (await fastgpt.data("POST", "/searchTest", search))["list"] == []


async def test_too_many_rows_and_unknown_places(fastgpt: FastGPT) -> None:
    push = {"collectionId": "x", "data": [{"q": "q"}]}
    heard = await fastgpt.call("POST", "/core/dataset/data/pushData", push)
    assert (heard.status, heard.json["code"]) == (500, 501_001)
    dataset = await fastgpt.data("POST", "/create", {"name": "店规"})
    text = {"datasetId": dataset, "name": "手册", "text": "一\n\n二"}
    made = await fastgpt.data("POST", "/collection/create/text", text)
    assert made["results"]["insertLen"] == 2
    push = {"collectionId": made["collectionId"], "data": [{"q": str(n)} for n in range(201)]}
    heard = await fastgpt.call("POST", "/core/dataset/data/pushData", push)
    assert (heard.status, heard.json["code"]) == (500, 500)


@pytest.mark.parametrize(("words", "kind"), [("form", "userSelect"), ("form:input", "userInput")])
async def test_form_is_asked_and_answered_in_the_same_chat(
    fastgpt: FastGPT, words: str, kind: str
) -> None:
    events = await fastgpt.stream(f"我要办理 [[{words}]]", chatId="c1")
    asked = next(data for name, data in events if name == "interactive")
    assert asked["interactive"]["type"] == kind
    assert _text(events) == ""
    answer = (await fastgpt.ask("退货", chatId="c1")).json["choices"][0]["message"]["content"]
    assert "退货" in answer
    again = (await fastgpt.ask("运费多少？", chatId="c1")).json["choices"][0]["message"]["content"]
    assert "登记" not in again


async def test_thoughts_and_tools_are_told_apart(fastgpt: FastGPT, faq) -> None:
    events = await fastgpt.stream("怎么退货？ [[reasoning tools]]")
    assert _text(events) == faq.by_id["s01-01"].answer
    assert _text(events, "reasoning_content")
    assert {"toolCall", "toolParams", "toolResponse"} <= set(_names(events))


async def test_odd_stream_says_the_same(fastgpt: FastGPT, faq) -> None:
    heard = await fastgpt.ask("怎么退货？ [[odd]]", stream=True, detail=True)
    events = [
        (name, data)
        for name, data in heard.events
        if not (isinstance(data, dict) and data.get("choices") == [])
    ]
    assert _text(events) == faq.by_id["s01-01"].answer
    assert "sandboxStatus" in _names(events)


async def test_feedback_and_histories(fastgpt: FastGPT) -> None:
    app = fastgpt.double.fields()[0][1]["app"]
    await fastgpt.ask("怎么退货？", chatId="c1", responseChatItemId="i1")
    chat = "/core/chat"
    body = {"appId": app, "chatId": "c1", "dataId": "i1", "userGoodFeedback": "yes"}
    path = f"{chat}/feedback/updateUserFeedback"
    assert (await fastgpt.call("POST", path, body, CHAT)).json["code"] == 200
    records = {"appId": app, "chatId": "c1", "offset": 0, "pageSize": 10}
    listed = (await fastgpt.call("POST", f"{chat}/getPaginationRecords", records, CHAT)).json[
        "data"
    ]
    assert [one["obj"] for one in listed["list"]] == ["Human", "AI"]
    assert listed["list"][1]["userGoodFeedback"] == "yes"
    other = {**body, "dataId": "i2"}
    assert (await fastgpt.call("POST", path, other, CHAT)).status == 500
    known = (await fastgpt.call("POST", f"{chat}/history/getHistories", records, CHAT)).json["data"]
    assert [one["chatId"] for one in known["list"]] == ["c1"]
    query = {"appId": app, "chatId": "c1"}
    await fastgpt.call("DELETE", f"{chat}/history/delHistory", key=CHAT, params=query)
    assert (await fastgpt.call("POST", path, body, CHAT)).status == 500


async def test_app_tells_what_it_is(fastgpt: FastGPT) -> None:
    heard = await fastgpt.call("GET", "/core/chat/init", key=CHAT)
    assert heard.json["data"]["app"]["name"] == "售后问答"
    guide = "/core/ai/agent/v2/createQuestionGuide"
    assert len((await fastgpt.call("POST", guide, {}, CHAT)).json["data"]) == 3


@pytest.mark.parametrize("body", [{}, {"messages": "x"}, {"messages": []}])
async def test_bad_body_is_an_error(fastgpt: FastGPT, body: object) -> None:
    assert (await fastgpt.call("POST", "/v1/chat/completions", body, CHAT)).status == 500


async def test_wrong_address_and_method(fastgpt: FastGPT) -> None:
    for method, path, status in (("GET", "/v3/chat", 404), ("GET", "/v1/chat/completions", 405)):
        heard = await fastgpt.call(method, path)
        assert (heard.status, heard.text) == (status, f"<h1>{status}</h1>")


async def test_many_at_once_are_told_apart(fastgpt: FastGPT, faq) -> None:
    questions = [entry.question for entry in faq.entries[:40]]
    heard = await asyncio.gather(*(fastgpt.ask(question) for question in questions))
    answers = [one.json["choices"][0]["message"]["content"] for one in heard]
    assert answers == [faq.answer(question)[0] for question in questions]
