"""The Dify double: each kind of app, its errors, and everything beside the answers."""

import asyncio
from typing import Any

import pytest
from doubles_house import Client, Heard, StartDouble

from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.dify_faults import FAULTS, GENERATION
from qingniao.doubles.dify_records import APPS

KEYS = {app.mode: app.key for app in APPS}
USER = "visitor-1"


class Dify:
    """A double and how it is asked."""

    def __init__(self, double: DifyDouble, client: Client) -> None:
        self.double, self._client = double, client

    async def call(
        self, method: str, path: str, body: Any = None, mode: str = "chat", **more: Any
    ) -> Heard:
        url = f"{self.double.base_url}{path}"
        key = more.pop("key", KEYS.get(mode, mode))
        return await self._client.ask(method, url, body, key=key, **more)

    async def ask(self, query: str, mode: str = "chat", **body: Any) -> Heard:
        if mode == "workflow":
            body = {"inputs": {"query": query}, "user": USER, **body}
            return await self.call("POST", "/workflows/run", body, mode)
        body = {"inputs": {}, "query": query, "user": USER, **body}
        return await self.call("POST", "/chat-messages", body, mode)

    async def stream(self, query: str, mode: str = "chat", **body: Any) -> list[dict[str, Any]]:
        heard = await self.ask(query, mode, response_mode="streaming", **body)
        assert heard.status == 200, heard.text
        assert heard.headers["content-type"].startswith("text/event-stream")
        return [data for _, data in heard.events if isinstance(data, dict)]


@pytest.fixture
async def dify(start_double: StartDouble, client: Client) -> Dify:
    return Dify(await start_double(DifyDouble), client)


def _names(events: list[dict[str, Any]]) -> list[str]:
    """Neighbours that are alike count once."""
    names = [event["event"] for event in events]
    return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]


async def test_blocking_answer(dify: Dify, faq) -> None:
    body = (await dify.ask("怎么退货？")).json
    assert body["answer"] == faq.by_id["s01-01"].answer
    assert (body["event"], body["mode"]) == ("message", "chat")
    assert body["metadata"]["retriever_resources"][0]["document_name"] == "《退换货规则》第 1 条"
    assert body["metadata"]["usage"]["total_tokens"] > 900


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("chat", ["message", "message_end"]),
        ("agent-chat", ["agent_thought", "agent_message", "message_end"]),
        ("agent", ["agent_thought", "agent_message", "message", "message_end"]),
        (
            "advanced-chat",
            ["workflow_started", "node_started", "node_finished", "node_started", "node_finished",
             "node_started", "message", "node_finished", "message_end", "workflow_finished"],
        ),
        (
            "workflow",
            ["workflow_started", "node_started", "node_finished", "node_started", "node_finished",
             "node_started", "text_chunk", "node_finished", "workflow_finished"],
        ),
    ],
)  # fmt: skip
async def test_order_of_events(dify: Dify, faq, mode: str, names: list[str]) -> None:
    events = await dify.stream("怎么退货？", mode)
    assert _names(events) == names
    field = (
        "text_chunk" if mode == "workflow" else "agent_message" if "agent" in mode else "message"
    )
    said = [event for event in events if event["event"] == field]
    text = "".join(event.get("answer") or event["data"]["text"] for event in said)
    assert text == faq.by_id["s01-01"].answer
    assert len({event["task_id"] for event in events}) == 1


async def test_new_agent_says_the_whole_answer_once_more(dify: Dify, faq) -> None:
    events = await dify.stream("怎么退货？", "agent")
    assert [e["answer"] for e in events if e["event"] == "message"] == [faq.by_id["s01-01"].answer]


@pytest.mark.parametrize("mode", ["agent", "agent-chat"])
async def test_agents_do_not_block(dify: Dify, mode: str) -> None:
    heard = await dify.ask("你好", mode)
    assert (heard.status, heard.json["code"]) == (400, "bad_request")


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_every_documented_error_can_be_had(dify: Dify, name: str) -> None:
    (status, message), code = FAULTS[name], name.partition(".")[0]
    heard = await dify.ask(f"你好 [[error:{name}]]")
    assert heard.status == status
    assert heard.json == {"status": status, "code": code, "message": message}
    assert ("www-authenticate" in heard.headers) == (status == 401)


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_errors_of_generation_come_inside_the_stream(dify: Dify, name: str) -> None:
    heard = await dify.ask(f"你好 [[error:{name}]]", response_mode="streaming")
    (status, message), code = FAULTS[name], name.partition(".")[0]
    if name not in GENERATION:
        assert (heard.status, heard.json["code"]) == (status, code)
        return
    assert heard.status == 200
    ((_, event),) = heard.events
    assert (event["event"], event["status"], event["code"]) == ("error", status, code)
    assert event["message"] == message


async def test_chatflow_fails_without_message_end(dify: Dify) -> None:
    events = await dify.stream("怎么退货？ [[error-midway]]", "advanced-chat")
    assert _names(events)[-2:] == ["workflow_finished", "error"]
    assert "message" in _names(events)
    assert events[-2]["data"]["status"] == "failed"


async def test_failed_workflow_is_http_200(dify: Dify) -> None:
    heard = await dify.ask("怎么退货？ [[error-midway]]", "workflow")
    assert (heard.status, heard.json["data"]["status"]) == (200, "failed")
    events = await dify.stream("怎么退货？ [[error-midway]]", "workflow")
    assert events[-1]["data"]["status"] == "failed"


async def test_conversation_goes_on_and_belongs_to_its_user(dify: Dify) -> None:
    first = (await dify.ask("怎么退货？")).json["conversation_id"]
    again = await dify.ask("运费多少？", conversation_id=first)
    assert again.json["conversation_id"] == first
    other = await dify.ask("运费多少？", conversation_id=first, user="visitor-2")
    assert (other.status, other.json["message"]) == (404, "Conversation Not Exists.")
    elsewhere = await dify.ask("运费多少？", "advanced-chat", conversation_id=first)
    assert elsewhere.status == 404
    query = {"conversation_id": first, "user": USER}
    page = (await dify.call("GET", "/messages", params={**query, "limit": "1"})).json
    assert (page["has_more"], page["data"][0]["query"]) == (True, "运费多少？")
    older = {**query, "first_id": page["data"][0]["id"]}
    page = (await dify.call("GET", "/messages", params=older)).json
    assert (page["has_more"], page["data"][0]["query"]) == (False, "怎么退货？")
    assert (await dify.call("GET", "/messages", params={**query, "user": "x"})).status == 404


async def test_conversations_are_listed_renamed_and_forgotten(dify: Dify) -> None:
    ids = [(await dify.ask(text)).json["conversation_id"] for text in ("怎么退货？", "运费多少？")]
    page = (await dify.call("GET", "/conversations", params={"user": USER, "limit": "1"})).json
    assert page["has_more"] is True
    path = f"/conversations/{ids[0]}"
    named = await dify.call("POST", f"{path}/name", {"user": USER, "name": "退货"})
    assert named.json["name"] == "退货"
    gone = await dify.call("DELETE", path, {"user": USER})
    assert (gone.status, gone.raw) == (204, b"")
    assert (await dify.ask("你好", conversation_id=ids[0])).status == 404


@pytest.mark.parametrize(
    ("mode", "end"), [("chat", "message_end"), ("advanced-chat", "workflow_finished")]
)
async def test_stop_ends_only_the_own_stream(
    start_double: StartDouble, client: Client, mode: str, end: str
) -> None:
    dify = Dify(await start_double(DifyDouble, pace_s=0.02), client)
    asking = asyncio.create_task(dify.ask("怎么退货？ [[stall]]", mode, response_mode="streaming"))
    async with asyncio.timeout(5):
        while not (tasks := dify.double.store.tasks.names()):
            await asyncio.sleep(0.01)
    stop = f"/chat-messages/{tasks[0]}/stop"
    wrong = await dify.call("POST", stop, {"user": "visitor-2"}, mode)
    assert wrong.json == {"result": "success"}
    await asyncio.sleep(0.05)
    assert not asking.done()
    assert (await dify.call("POST", stop, {"user": USER}, mode)).json == {"result": "success"}
    async with asyncio.timeout(5):
        heard = await asking
    assert heard.events[-1][1]["event"] == end
    assert dify.double.exchanges[0].outcome == "stopped"
    assert not dify.double.store.tasks.names()


async def test_pings_fill_the_wait_for_the_first_event(
    start_double: StartDouble, client: Client
) -> None:
    dify = Dify(await start_double(DifyDouble, ping_s=0.02), client)
    heard = await dify.ask("怎么退货？ [[wait:200]]", response_mode="streaming")
    names = [name for name, _ in heard.events]
    assert names[:2] == ["ping", "ping"]
    assert heard.raw.startswith(b"event: ping\n\n")
    assert heard.events[-1][1]["event"] == "message_end"


async def test_stop_needs_a_user(dify: Dify) -> None:
    heard = await dify.call("POST", "/chat-messages/x/stop", {})
    assert heard.json == {
        "code": "invalid_param", "message": "Arg user must be provided.", "status": 400,
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
async def test_form_pauses_and_is_filled_in(dify: Dify, mode: str) -> None:
    events = await dify.stream("怎么退货？ [[form]]", mode)
    assert _names(events)[-2:] == ["human_input_required", "workflow_paused"]
    run, form = events[-1]["workflow_run_id"], events[-2]["data"]
    path = f"/form/human_input/{form['form_token']}"
    shown = (await dify.call("GET", path, mode=mode)).json
    assert shown["form_content"] == form["form_content"]
    body = {"inputs": {"order": "A12345"}, "action": "approve", "user": USER}
    assert (await dify.call("POST", path, body, mode)).json == {}
    assert (await dify.call("POST", path, body, mode)).status == 404
    heard = await dify.call("GET", f"/workflow/{run}/events", mode=mode, params={"user": USER})
    names = _names([data for _, data in heard.events])
    assert (names[0], names[-1]) == ("human_input_form_filled", "workflow_finished")


async def test_form_is_told_as_it_was_filled_in(dify: Dify) -> None:
    events = await dify.stream("怎么退货？ [[form]]", "workflow")
    run, form = events[-1]["workflow_run_id"], events[-2]["data"]
    follow = {"mode": "workflow", "params": {"user": USER}}
    assert (await dify.call("GET", f"/workflow/{run}/events", **follow)).events == []
    body = {"inputs": {"order": "A12345"}, "action": "reject", "user": USER}
    await dify.call("POST", f"/form/human_input/{form['form_token']}", body, "workflow")
    heard = await dify.call("GET", f"/workflow/{run}/events", **follow)
    told = heard.events[0][1]["data"]
    assert (told["action_id"], told["action_text"]) == ("reject", form["actions"][1]["title"])
    assert told["submitted_data"] == {"order": "A12345"}


async def test_retraction_replaces_what_was_said(dify: Dify) -> None:
    events = await dify.stream("怎么退货？ [[retract]]")
    assert _names(events) == ["message", "message_replace", "message_end"]
    replaced = next(event for event in events if event["event"] == "message_replace")
    query = {"conversation_id": events[0]["conversation_id"], "user": USER}
    kept = (await dify.call("GET", "/messages", params=query)).json["data"][0]
    assert kept["answer"] == replaced["answer"]


@pytest.mark.parametrize("mode", sorted(KEYS))
async def test_odd_stream_says_the_same(dify: Dify, mode: str) -> None:
    heard = await dify.ask("怎么退货？ [[odd]]", mode, response_mode="streaming")
    names = [name for name, _ in heard.events]
    assert {"ping", "something_new"} <= set(names)
    plain = [one["event"] for one in await dify.stream("怎么退货？", mode)]
    odd = [data["event"] for _, data in heard.events if isinstance(data, dict) and data]
    extra = {"node_retry", "agent_log", "tts_message", "tts_message_end"}
    assert [name for name in odd if name not in extra] == plain


async def test_thoughts(dify: Dify) -> None:
    events = await dify.stream("怎么退货？ [[reasoning]]", "advanced-chat")
    assert [e["data"]["is_final"] for e in events if e["event"] == "reasoning_chunk"][-1] is True
    text = "".join(e.get("answer", "") for e in await dify.stream("怎么退货？ [[reasoning]]"))
    assert text.startswith("<think>\n")


async def test_file_is_uploaded_used_and_read(dify: Dify) -> None:
    form = {"files": {"file": ("a.png", b"\x89PNG", "image/png")}, "data": {"user": USER}}
    heard = await dify.call("POST", "/files/upload", **form)
    assert heard.status == 201
    assert (heard.json["size"], heard.json["extension"]) == (4, "png")
    file = {
        "type": "image", "transfer_method": "local_file", "upload_file_id": heard.json["id"],
    }  # fmt: skip
    assert (await dify.ask("怎么退货？", files=[file])).json["answer"].startswith("收到 1 个文件。")
    assert (await dify.ask("怎么退货？", files=[file], user="visitor-2")).status == 400
    assert (await dify.call("GET", f"/files/{heard.json['id']}/preview")).raw == b"\x89PNG"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "no_file_uploaded"),
        ([("file", ("a.png", b"1")), ("file", ("b.png", b"2"))], "too_many_files"),
        ([("file", ("a.exe", b"1", "application/x-msdownload"))], "invalid_param"),
        ([("file", ("a.txt", b"1" * (15 * 1024 * 1024 + 1)))], "file_too_large"),
    ],
)  # fmt: skip
async def test_upload_is_refused(dify: Dify, files: list[Any], code: str) -> None:
    heard = await dify.call("POST", "/files/upload", files=files, data={"user": USER})
    assert heard.json["code"] == code


async def test_upload_by_an_unreadable_user_is_refused(dify: Dify) -> None:
    files = {"file": ("a.png", b"1"), "user": (None, b"\xff")}
    heard = await dify.call("POST", "/files/upload", files=files)
    assert heard.failure is None
    assert heard.json["code"] == "invalid_param"


async def test_feedback_is_given_and_taken_back(dify: Dify) -> None:
    message = (await dify.ask("怎么退货？")).json["message_id"]
    path = f"/messages/{message}/feedbacks"
    given = await dify.call("POST", path, {"rating": "like", "user": USER, "content": "好"})
    assert given.json == {"result": "success"}
    listed = (await dify.call("GET", "/app/feedbacks")).json["data"]
    assert [(one["message_id"], one["rating"], one["content"]) for one in listed] == [
        (message, "like", "好")
    ]
    await dify.call("POST", path, {"rating": None, "user": USER})
    assert (await dify.call("GET", "/app/feedbacks")).json["data"] == []
    assert (await dify.call("POST", path, {"rating": "like", "user": "x"})).status == 404


async def test_what_may_be_asked_next(dify: Dify, faq) -> None:
    message = (await dify.ask("怎么退货？")).json["message_id"]
    path = f"/messages/{message}/suggested"
    told = (await dify.call("GET", path, params={"user": USER})).json
    assert told["result"] == "success"
    assert set(told["data"]) <= {entry.question for entry in faq.entries}
    assert told["data"]


@pytest.mark.parametrize("mode", sorted(KEYS))
async def test_app_tells_what_it_is(dify: Dify, mode: str) -> None:
    assert (await dify.call("GET", "/info", mode=mode)).json["mode"] == mode
    assert (await dify.call("GET", "/parameters", mode=mode)).status == 200
    assert (await dify.call("GET", "/meta", mode=mode)).status == 200


async def test_wrong_key_and_wrong_app(dify: Dify) -> None:
    assert (await dify.call("GET", "/info", key="app-x")).json["code"] == "unauthorized"
    body = {"inputs": {}, "query": "你好", "user": USER}
    heard = await dify.call("POST", "/chat-messages", body, "workflow")
    assert heard.json["code"] == "not_chat_app"
    heard = await dify.call("POST", "/workflows/run", body, "chat")
    assert heard.json["code"] == "not_workflow_app"


async def test_labels_make_a_classifier(dify: Dify) -> None:
    body = (await dify.ask("快递几天能到？", inputs={"labels": "退货,物流,其他"})).json
    assert body["answer"] == "物流"
    inputs = {"query": "今天天气", "labels": "退货,物流,其他"}
    run = (await dify.ask("", "workflow", inputs=inputs)).json["data"]
    assert run["outputs"] == {"text": "其他"}


async def test_run_is_told_afterwards(dify: Dify, faq) -> None:
    run = (await dify.ask("怎么退货？", "workflow")).json["workflow_run_id"]
    body = (await dify.call("GET", f"/workflows/run/{run}", mode="workflow")).json
    assert body["outputs"] == {"text": faq.by_id["s01-01"].answer}
    assert (await dify.call("GET", "/workflows/run/x", mode="workflow")).status == 404


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
@pytest.mark.parametrize("words", ["error", "quota", "error-midway:provider_not_initialize"])
async def test_run_that_failed_is_told_so_afterwards(dify: Dify, mode: str, words: str) -> None:
    events = await dify.stream(f"怎么退货？ [[{words}]]", mode)
    end = next(event for event in events if event["event"] == "workflow_finished")["data"]
    run = (await dify.call("GET", f"/workflows/run/{end['id']}", mode=mode)).json
    assert (run["status"], run["outputs"], run["error"]) == ("failed", {}, end["error"])


async def test_knowledge_is_searched(dify: Dify, faq) -> None:
    body = {"query": "怎么退货？"}
    heard = await dify.call("POST", "/datasets/d/retrieve", body, key="dataset-double")
    assert heard.json["records"][0]["segment"]["answer"] == faq.by_id["s01-01"].answer
    assert (await dify.call("POST", "/datasets/d/retrieve", body)).status == 401
