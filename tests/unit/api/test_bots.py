"""Bots over HTTP: adding, testing, publishing, taking back; and that a secret never comes out."""

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from doubles_house import StartDouble

from qingniao.bots.base import (
    BotUnavailable,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    TextDelta,
    Usage,
)
from qingniao.bots.kinds import KINDS
from qingniao.bots.simple import SimpleBot
from qingniao.doubles.dify import DifyDouble
from qingniao.runtime.bot_watch import BotWatch

if TYPE_CHECKING:
    from tests.unit.api.conftest import House

KEY = "app-double-chat"
START_MS = 1_795_500_000_000
"""The clock of the house."""


class Echo(SimpleBot):
    name = "local"

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        yield Grounded(confidence=0.9)
        yield TextDelta(text="You said: ")
        yield Done(text=f"You said: {query.text}")


@pytest.fixture
async def admin(house: "House") -> httpx.AsyncClient:
    return await house.sign_in()


@pytest.fixture
async def draft(start_double: StartDouble) -> dict[str, Any]:
    double = await start_double(DifyDouble)
    return {
        "kind": "dify",
        "name": "售后问答",
        "settings": {"base_url": double.base_url},
        "policy": {"tries": 1},
        "secrets": {"key": KEY},
    }


async def put(admin: httpx.AsyncClient, body: dict[str, Any], bot: str = "shop") -> Any:
    answer = await admin.put(f"/api/v1/bots/{bot}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_bot_is_added_tested_and_published(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    told = await put(admin, draft)
    assert told["secrets"] == ["key"]
    assert [version["status"] for version in told["versions"]] == ["draft"]
    tried = (await admin.post("/api/v1/bots/shop/test", json={})).json()
    assert tried["is_ok"], tried
    tried = (await admin.post("/api/v1/bots/shop/test", json={"text": "怎么退货？"})).json()
    assert "退货" in tried["text"]
    assert tried["cost"] > 0
    assert tried["citations"]
    assert house.released == 1
    told = (await admin.post("/api/v1/bots/shop/publish")).json()
    assert [version["status"] for version in told["versions"]] == ["published"]
    assert house.released == 2
    again = await admin.post("/api/v1/bots/shop/publish")
    assert again.status_code == 404


async def test_no_answer_ever_holds_a_secret(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    answers = [await admin.put("/api/v1/bots/shop", json=draft)]
    answers.append(await admin.get("/api/v1/bots"))
    answers.append(await admin.get("/api/v1/bots/shop"))
    answers.append(await admin.post("/api/v1/bots/shop/test", json={"text": "怎么退货？"}))
    answers.append(await admin.post("/api/v1/bots/shop/publish"))
    answers.append(await admin.post("/api/v1/bots/shop/rollback", json={"version": 1}))
    for answer in answers:
        assert answer.is_success
        assert KEY not in answer.text
    held = (house.root / "house.db").read_bytes() + (house.root / "house.db-wal").read_bytes()
    assert KEY.encode() not in held
    stored = await house.services.bots.secrets("shop")
    assert len(stored) == 1
    assert KEY not in str(stored)


async def test_secret_left_out_stays_and_an_empty_one_goes(
    admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft)
    assert (await put(admin, draft | {"secrets": {}}))["secrets"] == ["key"]
    told = await put(admin, draft | {"secrets": {"key": " "}})
    assert (told["secrets"], told["missing"]) == ([], ["key"])
    tried = (await admin.post("/api/v1/bots/shop/test", json={})).json()
    assert not tried["is_ok"]
    assert "key" in tried["detail"]


async def test_bot_that_points_elsewhere_does_not_take_its_key_along(
    admin: httpx.AsyncClient, draft: dict[str, Any], start_double: StartDouble
) -> None:
    await put(admin, draft)
    await admin.post("/api/v1/bots/shop/publish")
    other = await start_double(DifyDouble)
    moved = draft | {"settings": {"base_url": other.base_url}, "secrets": {}}
    told = await put(admin, moved)
    assert (told["secrets"], told["missing"]) == ([], ["key"])
    await admin.post("/api/v1/bots/shop/test", json={"text": "怎么退货？"})
    assert KEY not in str([exchange.request.headers for exchange in other.exchanges])
    # The published version still has its own.
    tried = (await admin.post("/api/v1/bots/shop/test", json={"version": 1})).json()
    assert tried["is_ok"]


async def test_going_back_publishes_the_old_settings_under_a_new_number(
    admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    for name in ("eins", "zwei"):
        await put(admin, draft | {"name": name})
        await admin.post("/api/v1/bots/shop/publish")
    await put(admin, draft | {"name": "drei"})
    told = (await admin.post("/api/v1/bots/shop/rollback", json={"version": 1})).json()
    assert [(v["version"], v["name"], v["status"]) for v in told["versions"]] == [
        (4, "drei", "draft"),
        (3, "eins", "published"),
        (2, "zwei", "published"),
        (1, "eins", "published"),
    ]
    assert told["versions"][1]["note"] == "as version 1"
    for version in (4, 9):
        answer = await admin.post("/api/v1/bots/shop/rollback", json={"version": version})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({"bot": "b"}, {"token": "pat"}),
        ({"bot": "b"}, {}),
        ({"bot": "b", "app": "a", "key_id": "k"}, {"private_key": "PEM"}),
        ({"bot": "b", "app": "a", "key_id": "k"}, {}),
    ],
    ids=["token", "token to come", "application", "its key to come"],
)
async def test_coze_is_added_with_a_token_or_an_application(
    admin: httpx.AsyncClient, settings: dict[str, str], secrets: dict[str, str]
) -> None:
    draft = {"kind": "coze", "name": "扣子", "settings": settings, "secrets": secrets}
    assert (await put(admin, draft))["secrets"] == sorted(secrets)


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"kind": "eliza"}, "secrets", "no secret of this kind"),
        ({"kind": "eliza", "secrets": {}}, "settings", "no kind of bot"),
        ({"settings": {"base_urll": "x"}}, "settings", "base_urll"),
        ({"settings": {"app": "agent"}}, "settings", "app"),
        ({"settings": {"key": "app-x"}}, "settings", "secret"),
        ({"settings": {"base_url": "http://["}}, "settings", "address"),
        ({"secrets": {"password": "x"}}, "secrets", "password"),
        ({"policy": {"idle_s": "long"}}, "policy", "idle_s"),
        ({"policy": {"patience": 3}}, "policy", "patience"),
        ({"policy": {"idle_s": -1}}, "policy", "idle_s"),
        ({"policy": {"at_once": -1}}, "policy", "at_once"),
    ],
)
async def test_wrong_drafts_are_refused_in_a_sentence(
    admin: httpx.AsyncClient,
    draft: dict[str, Any],
    change: dict[str, Any],
    field: str,
    sentence: str,
) -> None:
    answer = await admin.put("/api/v1/bots/shop", json=draft | change)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["field"] == field
    assert sentence in error["text"]
    assert (await admin.get("/api/v1/bots")).json()["bots"] == []


@pytest.mark.parametrize("bot", ["Shop", "shop_1", "local", "-a", "a" * 65])
async def test_wrong_ids_are_refused(
    admin: httpx.AsyncClient, draft: dict[str, Any], bot: str
) -> None:
    answer = await admin.put(f"/api/v1/bots/{bot}", json=draft)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "id"


async def test_test_says_what_is_wrong(admin: httpx.AsyncClient, draft: dict[str, Any]) -> None:
    inside = {"base_url": "http://10.0.0.1/v1"}
    for change, code, sentence in (
        ({"secrets": {"key": "app-wrong"}}, "", "key"),
        ({"secrets": {"key": "app-\nwrong"}}, "", "line break"),
        ({"settings": inside}, "", "inside this network"),
        ({"settings": inside | {"base_url": "http://127.0.0.1:9/v1"}}, "", "does not take"),
    ):
        await put(admin, draft | change)
        tried = (await admin.post("/api/v1/bots/shop/test", json={})).json()
        assert not tried["is_ok"]
        assert sentence in tried["detail"]
        assert tried["code"] == code
        asked = (await admin.post("/api/v1/bots/shop/test", json={"text": "x"})).json()
        assert asked["code"] in ("bot_misconfigured", "bot_unavailable")


async def test_only_administrators(house: "House", admin: httpx.AsyncClient, draft: Any) -> None:
    await put(admin, draft)
    agent = await house.agent()
    for method, path in (
        ("GET", ""), ("GET", "/shop"), ("PUT", "/shop"), ("POST", "/shop/test"),
        ("POST", "/shop/ask"), ("POST", "/shop/first"), ("POST", "/shop/publish"),
        ("POST", "/shop/rollback"), ("DELETE", "/shop"),
    ):  # fmt: skip
        answer = await agent.request(method, f"/api/v1/bots{path}", json=draft)
        assert answer.status_code == 403, path
        answer = await house.browser().request(method, f"/api/v1/bots{path}", json=draft)
        assert answer.status_code == 401, path


async def test_removed_bot_is_gone_with_its_secrets(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft)
    assert (await admin.delete("/api/v1/bots/shop")).status_code == 204
    assert (await admin.delete("/api/v1/bots/shop")).status_code == 404
    assert (await admin.get("/api/v1/bots/shop")).status_code == 404
    assert await house.services.bots.secrets() == {}


async def test_kinds_are_told(admin: httpx.AsyncClient) -> None:
    told = (await admin.get("/api/v1/bots")).json()["kinds"]
    assert {kind["name"] for kind in told} == set(KINDS)
    assert all(kind["secrets"] for kind in told)


async def test_answer_is_read_piece_by_piece(
    admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft)
    body = {"text": "怎么退货？"}
    async with admin.stream("POST", "/api/v1/bots/shop/ask", json=body) as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        told = [json.loads(line) async for line in answer.aiter_lines()]
    done = told[-1]["done"]
    assert "".join(piece["delta"] for piece in told if "delta" in piece) == done["text"]
    assert done["is_ok"]
    assert done["first_ms"] > 0
    assert done["cost"] > 0
    broken = await admin.post("/api/v1/bots/shop/ask", json={"text": "怎么退货？ [[truncate]]"})
    last = json.loads(broken.text.splitlines()[-1])["done"]
    assert (last["is_ok"], last["code"]) == (False, "bot_truncated")
    assert (await admin.post("/api/v1/bots/shop/ask", json={"text": " "})).status_code == 400
    assert (await admin.post("/api/v1/bots/none/ask", json={"text": "x"})).status_code == 404


async def test_bot_of_the_house_is_tried_beside_the_others(
    house: "House", admin: httpx.AsyncClient
) -> None:
    tried = (await admin.post("/api/v1/bots/local/test", json={"text": "x"})).json()
    assert (tried["is_ok"], tried["code"]) == (False, "bot_unavailable")
    assert (await admin.get("/api/v1/bots")).json()["house"]["can_be_tried"] is False
    object.__setattr__(house.services, "local_bot", Echo)
    assert (await admin.get("/api/v1/bots")).json()["house"]["can_be_tried"] is True
    tried = (await admin.post("/api/v1/bots/local/test", json={"text": "x"})).json()
    assert (tried["text"], tried["is_ok"]) == ("You said: x", True)


async def test_who_answers_first_is_chosen_among_those_who_answer(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft)
    assert (await admin.get("/api/v1/bots")).json()["first"] == "local"
    assert (await admin.post("/api/v1/bots/shop/first")).status_code == 404
    await admin.post("/api/v1/bots/shop/publish")
    released = house.released
    assert (await admin.post("/api/v1/bots/shop/first")).status_code == 204
    assert house.released == released + 1
    told = (await admin.get("/api/v1/bots")).json()
    assert told["first"] == "shop"
    (use,) = told["bots"][0]["uses"]
    assert (use["kind"], use["title"]["en"]) == ("first", "Bot")
    assert told["house"]["uses"] == []
    await admin.delete("/api/v1/bots/shop")
    assert (await admin.get("/api/v1/bots")).json()["first"] == "local"


async def test_bot_that_is_asked_and_gone_is_told(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft | {"policy": {"then": ["spare", "local"]}})
    await admin.post("/api/v1/bots/shop/publish")
    graph = {"nodes": [
        {"id": "a", "kind": "answer", "title": {"en": "Sales"}, "settings": {"bot": "shop"}},
        {"id": "b", "kind": "intent", "title": {"en": "Topic"}, "settings": {"judge": "judge"}},
    ]}  # fmt: skip
    await house.services.flows.save_draft("after_sales", name="n", graph=graph, now_ms=1)
    await house.services.flows.publish("after_sales", 1)
    told = (await admin.get("/api/v1/bots")).json()
    assert [use["title"] for use in told["bots"][0]["uses"]] == [{"en": "Sales"}]
    assert {gone["id"]: [use["kind"] for use in gone["uses"]] for gone in told["gone"]} == {
        "judge": ["node"],
        "spare": ["then"],
    }
    assert [use["of"] for use in told["house"]["uses"]] == ["shop"]


async def test_figures_are_those_of_the_last_day(
    house: "House", admin: httpx.AsyncClient, draft: dict[str, Any]
) -> None:
    await put(admin, draft)
    watch = BotWatch(house.services.bot_records, house.services.clock)
    yesterday = BotWatch(house.services.bot_records, lambda: START_MS - 86_400_000)
    yesterday.failed("shop", BotUnavailable("Dify failed inside."))
    await yesterday.flush()
    usage = Usage(prompt_tokens=40, completion_tokens=2, cost=0.5, currency="CNY")
    for first_ms in (80, 90, 4_000):
        watch.answered("shop", Done(text="", usage=usage), first_ms, 5_000)
    watch.failed("shop", BotUnavailable("Dify failed inside."))
    await watch.flush()
    await watch.flush()
    told = (await admin.get("/api/v1/bots/shop")).json()
    figures = told["figures"]
    assert (figures["answers"], figures["failures"], figures["tokens"]) == (3, 1, 126)
    assert figures["cost"] == {"CNY": 1.5}
    assert figures["took_ms"] == 5_000
    assert 50 < figures["first_p50_ms"] <= 100
    assert 3_000 < figures["first_p95_ms"] <= 5_000
    assert told["failure"] == {
        "code": "bot_unavailable", "detail": "Dify failed inside.", "time": START_MS,
    }  # fmt: skip
    await admin.delete("/api/v1/bots/shop")
    assert await house.services.bot_records.failures() == {}
