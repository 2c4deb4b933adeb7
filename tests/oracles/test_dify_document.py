"""Dify's own OpenAPI document and a third party's client judge the Dify double.

The document is Dify's work and not ours to hand on; it has 700 kB and changes often. No copy is
kept here. It is `en/api-reference/openapi_service.json` of github.com/langgenius/dify-docs, and
`make oracles DIFY=openapi_service.json` says where yours lies.
"""

import json
import os
from typing import Any

import httpx
import pytest
from doubles_house import Client, StartDouble
from needs import may_lack
from oracle_house import AskClient, server

from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.dify_faults import FAULTS
from qingniao.doubles.dify_records import APPS

pytestmark = pytest.mark.oracle
KEYS = {app.mode: app.key for app in APPS}
SCENARIOS = ("", "reasoning", "form", "retract", "file", "error-midway", "odd", "quota")
USER = "visitor-1"
WITHOUT_DOCUMENT = (
    "Dify's OpenAPI document is Dify's and not part of this project: get "
    "en/api-reference/openapi_service.json of github.com/langgenius/dify-docs, then run "
    "`make oracles DIFY=openapi_service.json`"
)


@pytest.fixture
def document() -> str:
    path = os.environ.get("QINGNIAO_DIFY_OPENAPI", "")
    may_lack(bool(path), WITHOUT_DOCUMENT)
    return path


@pytest.fixture
async def double(start_double: StartDouble) -> DifyDouble:
    return await start_double(DifyDouble)


async def _events(double: DifyDouble, http: Client) -> list[str]:
    lines = []
    for mode, key in KEYS.items():
        for words in SCENARIOS:
            query = f"怎么退货？ [[{words}]]" if words else "怎么退货？"
            body: dict[str, Any] = {"user": USER, "response_mode": "streaming"}
            if mode == "workflow":
                path, body = "/workflows/run", {**body, "inputs": {"query": query}}
            else:
                path, body = "/chat-messages", {**body, "inputs": {}, "query": query}
            heard = await http.ask("POST", double.base_url + path, body, key=key)
            lines += [
                json.dumps(data) for _, data in heard.events if isinstance(data, dict) and data
            ]
    return lines


async def test_events_are_as_the_document_describes_them(
    double: DifyDouble, document: str, ask_client: AskClient
) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        lines = await _events(double, Client(http))
    told = await ask_client("judge_dify_events.py", document, told="\n".join(lines))
    assert told["problems"] == []
    # What the document does not describe is said here, so that it cannot grow unseen.
    assert {name for name, schema in told["judged"].items() if not schema} <= {"text_replace"}
    assert len(told["judged"]) > 15


async def test_prism_lets_every_answer_pass(double: DifyDouble, document: str) -> None:
    run = ("proxy", document, double.base_url, "--errors", "-h", "127.0.0.1", "-p", "{port}")
    async with (
        server("prism", *run, ready="listening") as url,
        httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http,
    ):
        await _tour(http)


async def _tour(http: httpx.AsyncClient) -> None:
    async def call(method: str, path: str, mode: str = "chat", want: int = 200, **more: Any) -> Any:
        key = KEYS.get(mode, mode)
        reply = await http.request(method, path, headers={"authorization": f"Bearer {key}"}, **more)
        violations = [
            one
            for one in json.loads(reply.headers.get("sl-violations", "[]"))
            if one["severity"] == "Error"
        ]
        assert violations == [], f"{method} {path}: {violations}"
        assert reply.status_code == want, f"{method} {path}: {reply.text}"
        return reply

    ask = {"inputs": {}, "query": "怎么退货？", "user": USER, "response_mode": "blocking"}
    told = (await call("POST", "/chat-messages", json=ask)).json()
    await call("POST", "/chat-messages", json={**ask, "response_mode": "streaming"})
    await call("POST", "/chat-messages/x/stop", json={"user": USER})
    message, talk = told["message_id"], told["conversation_id"]
    rating = {"rating": "like", "user": USER}
    await call("POST", f"/messages/{message}/feedbacks", json=rating)
    await call("GET", "/app/feedbacks")
    await call("GET", f"/messages/{message}/suggested", params={"user": USER})
    both = {"user": USER, "conversation_id": talk}
    await call("GET", "/messages", params=both)
    await call("GET", "/conversations", params={"user": USER})
    await call("GET", f"/conversations/{talk}/variables", params={"user": USER})
    name = {"name": "退货", "user": USER}
    await call("POST", f"/conversations/{talk}/name", json=name)
    for path in ("/info", "/parameters", "/meta"):
        await call("GET", path)
    file = {"files": {"file": ("a.png", b"1", "image/png")}, "data": {"user": USER}}
    await call("POST", "/files/upload", want=201, **file)
    await call("DELETE", f"/conversations/{talk}", want=204, json={"user": USER})
    for scenario, (status, _) in FAULTS.items():
        # The others the document does not name at this address.
        if status in (400, 403, 404, 429, 500):
            body = {**ask, "query": f"x [[error:{scenario}]]"}
            await call("POST", "/chat-messages", want=status, json=body)
    run = {"inputs": {"query": "怎么退货？"}, "user": USER, "response_mode": "blocking"}
    told = (await call("POST", "/workflows/run", "workflow", json=run)).json()
    await call("GET", f"/workflows/run/{told['workflow_run_id']}", "workflow")
    dataset = "/datasets/a8e0e5b5-78c6-4130-a5ce-25feb0e0b4ac/retrieve"
    await call("POST", dataset, "dataset-double", json={"query": "怎么退货？"})


async def test_third_partys_client(double: DifyDouble, ask_client: AskClient, faq) -> None:
    keys = [KEYS[mode] for mode in ("chat", "agent-chat", "advanced-chat", "workflow")]
    found = await ask_client("ask_dify.py", double.base_url, *keys)
    answer = faq.by_id["s01-01"].answer
    assert found["answer"] == found["run"] == answer
    for name in ("stream", "agent", "chatflow"):
        assert found[name]["text"] == answer
    assert found["stream"]["events"][-1] == found["agent"]["events"][-1] == "message_end"
    assert found["chatflow"]["events"][-1] == "workflow_finished"
    assert (found["sources"], found["suggested"], found["tokens"]) == (3, 2, True)
    assert (found["feedback"], found["stop"]) == ("success", "success")
    assert found["file"] == ["a.png", 4]
    for name in ("app_unavailable", "too_many_requests", "conversation_completed", "unauthorized"):
        assert found[name].startswith("Dify")
