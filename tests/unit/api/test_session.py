"""Signing in and what it protects."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qingniao.api.app import create_app
from qingniao.api.services import Trust

if TYPE_CHECKING:
    from tests.unit.api.conftest import House

WRONG = {"login": "admin", "password": "not this one"}


async def test_sign_in_sets_a_cookie_that_scripts_and_foreign_pages_cannot_use(house: "House"):
    body = {"login": " Admin ", "password": house.admin_password}
    answer = await house.client.post("/api/v1/session", json=body)
    assert answer.status_code == 200
    assert answer.json()["user"] == {
        "id": 1,
        "login": "admin",
        "name": "管理员",
        "role": "admin",
        "locale": "zh-CN",
        "accepting": True,
        "must_change_password": True,
    }
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("qn_session=")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert (await house.client.get("/api/v1/session")).status_code == 200


async def test_the_cookie_is_secure_behind_tls(house: "House"):
    body = {"login": "admin", "password": house.admin_password}
    answer = await house.client.post("https://house/api/v1/session", json=body)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("login", ["admin", "nobody"])
async def test_a_wrong_password_and_an_unknown_login_answer_alike(house: "House", login: str):
    answer = await house.client.post("/api/v1/session", json={**WRONG, "login": login})
    assert answer.status_code == 401
    assert answer.json()["error"] == {
        "code": "wrong_password",
        "text": "The login or the password is wrong.",
        "temporary": False,
        "field": "password",
    }


async def test_wrong_passwords_lock_for_longer_and_longer(house: "House"):
    for _ in range(5):
        assert (await house.client.post("/api/v1/session", json=WRONG)).status_code == 401
    right = {"login": "admin", "password": house.admin_password}
    answer = await house.client.post("/api/v1/session", json=right)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_tries"
    assert answer.json()["error"]["temporary"] is True
    assert answer.headers["retry-after"] == "1"
    house.now_ms += 1_000
    assert (await house.client.post("/api/v1/session", json=WRONG)).status_code == 401
    answer = await house.client.post("/api/v1/session", json=right)
    assert answer.headers["retry-after"] == "2"
    house.now_ms += 2_000
    assert (await house.client.post("/api/v1/session", json=right)).status_code == 200


async def test_a_change_without_the_intent_header_is_refused(house: "House"):
    del house.client.headers["X-Qingniao"]
    body = {"login": "admin", "password": house.admin_password}
    answer = await house.client.post("/api/v1/session", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")
    assert "set-cookie" not in answer.headers


async def test_a_one_time_password_opens_nothing_but_its_own_change(house: "House"):
    client = await house.sign_in(change=False)
    for call in ("/users", "/conversations", "/knowledge", "/visitors/x"):
        answer = await client.get(f"/api/v1{call}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "must_change_password")
    assert (await client.post("/api/v1/session/ticket")).status_code == 403
    body = {"current": house.admin_password, "new": "a password of my own"}
    answer = await client.post("/api/v1/session/password", json=body)
    assert answer.json()["user"]["must_change_password"] is False
    assert (await client.get("/api/v1/users")).status_code == 200


@pytest.mark.parametrize("weak", ["short", "1234567890", "aaaaaaaaaaaa", "admin12345", "x" * 300])
async def test_a_weak_password_is_refused_with_the_reason(house: "House", weak: str):
    client = await house.sign_in(change=False)
    body = {"current": house.admin_password, "new": weak}
    answer = await client.post("/api/v1/session/password", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "weak_password"
    assert answer.json()["error"]["field"] == "new"


async def test_changing_the_password_takes_the_present_one(house: "House"):
    client = await house.sign_in(change=False)
    body = {"current": "a guess", "new": "a password of my own"}
    answer = await client.post("/api/v1/session/password", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (401, "current")


async def test_a_new_password_signs_the_other_browsers_out(house: "House"):
    other = house.browser()
    body = {"login": "admin", "password": house.admin_password}
    assert (await other.post("/api/v1/session", json=body)).status_code == 200
    await house.sign_in()
    assert (await other.get("/api/v1/session")).status_code == 401
    assert len(house.signed_out) == 1
    assert (await house.client.get("/api/v1/session")).status_code == 200


async def test_signing_out_ends_the_session_on_the_server(house: "House"):
    client = await house.sign_in()
    cookie = client.cookies["qn_session"]
    assert (await client.delete("/api/v1/session")).status_code == 204
    thief = house.browser()
    thief.cookies.set("qn_session", cookie)
    answer = await thief.get("/api/v1/session")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")
    assert len(house.signed_out) == 1


async def test_an_idle_session_ends_and_a_used_one_lives_on_to_its_limit(house: "House"):
    client = await house.sign_in()
    hour = 3_600_000
    for _ in range(40):
        house.now_ms += 11 * hour
        status = (await client.get("/api/v1/session")).status_code
        if status != 200:
            break
    assert 13 * 24 * hour < house.now_ms - 1_795_500_000_000 <= 14 * 24 * hour + 11 * hour
    assert status == 401
    again = house.browser()
    body = {"login": "admin", "password": "a password of my own"}
    assert (await again.post("/api/v1/session", json=body)).status_code == 200
    house.now_ms += 12 * hour
    assert (await again.get("/api/v1/session")).status_code == 401


async def test_a_ticket_names_the_user_and_the_session_for_one_minute(house: "House"):
    client = await house.sign_in()
    answer = (await client.post("/api/v1/session/ticket")).json()
    claim = house.services.signer.read_ticket(answer["ticket"], house.now_ms)
    assert claim.user == 1
    assert answer["expires"] == claim.expires_ms == house.now_ms + 60_000
    session = await house.services.sessions.get(claim.session)
    assert session is not None
    assert session.user == 1


async def test_one_may_change_ones_own_name_and_language(house: "House"):
    client = await house.sign_in()
    body = {"name": " 小青 ", "locale": "en", "accepting": False}
    user = (await client.patch("/api/v1/session/user", json=body)).json()["user"]
    assert (user["name"], user["locale"], user["accepting"]) == ("小青", "en", False)
    assert (await client.get("/api/v1/session")).json()["user"] == user


@pytest.mark.parametrize(
    ("body", "field"),
    [({"locale": "fr"}, "locale"), ({"name": ""}, "name"), ({"accepting": "yes"}, "accepting")],
)
async def test_a_wrong_field_is_named(house: "House", body: dict[str, object], field: str):
    client = await house.sign_in()
    answer = await client.patch("/api/v1/session/user", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_input"
    assert answer.json()["error"]["field"] == field


async def test_agents_may_not_manage_users(house: "House"):
    await house.sign_in()
    agent = await house.agent()
    for answer in (
        await agent.get("/api/v1/users"),
        await agent.post("/api/v1/users", json={"login": "xx", "name": "x", "role": "admin"}),
        await agent.patch("/api/v1/site", json={"name": "Mine"}),
        await agent.post("/api/v1/knowledge/import", files={"file": b"a=b"}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")


async def test_a_new_user_gets_a_password_that_works_once(house: "House"):
    client = await house.sign_in()
    body = {"login": "Wang.Fang", "name": "王芳", "role": "agent"}
    answer = await client.post("/api/v1/users", json=body)
    assert answer.status_code == 201
    assert answer.json()["user"]["must_change_password"] is True
    password = answer.json()["password"]
    browser = house.browser()
    signed = await browser.post(
        "/api/v1/session", json={"login": "wang.fang", "password": password}
    )
    assert signed.status_code == 200
    answer = await client.post("/api/v1/users", json={**body, "login": "WANG.FANG"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "login_taken")
    house.online.add("a:2")
    users = (await client.get("/api/v1/users")).json()["users"]
    assert [(user["login"], user["online"]) for user in users] == [
        ("admin", False),
        ("wang.fang", True),
    ]


async def test_many_tries_at_once_are_many_tries(house: "House"):
    answers = await asyncio.gather(
        *(house.client.post("/api/v1/session", json=WRONG) for _ in range(20))
    )
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) == 5
    assert codes.count(429) == 15


async def test_only_a_known_proxy_may_say_who_is_calling(house: "House"):
    app = create_app(replace(house.services, trust=Trust(proxies=frozenset({"10.0.0.1"}))))
    forged = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5", "X-Forwarded-Proto": "https"}

    async def codes(address: str, headers: dict[str, str]) -> list[int]:
        browser = house.browser(address, app)
        answers = [
            await browser.post("/api/v1/visitors", json={}, headers=headers) for _ in range(6)
        ]
        return [answer.status_code for answer in answers]

    assert await codes("10.0.0.1", forged) == [200] * 5 + [429]
    assert await codes("10.0.0.1", {"X-Forwarded-For": "203.0.113.6"}) == [200] * 5 + [429]
    # Whatever a stranger writes into the header, they remain one stranger.
    assert await codes("192.0.2.1", forged) == [200] * 5 + [429]
    assert await codes("192.0.2.1", {"X-Forwarded-For": "203.0.113.7"}) == [429] * 6
    body = {"login": "admin", "password": house.admin_password}
    signed = await house.browser("10.0.0.1", app).post("/api/v1/session", json=body, headers=forged)
    assert "Secure" in signed.headers["set-cookie"]
    signed = await house.browser("192.0.2.1", app).post(
        "/api/v1/session", json=body, headers=forged
    )
    assert "Secure" not in signed.headers["set-cookie"]
