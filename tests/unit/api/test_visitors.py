"""Visitors: cheap to let in, kept once they say something."""

from typing import TYPE_CHECKING

from qingniao.storage.rows import IndexRow

if TYPE_CHECKING:
    from tests.unit.api.conftest import House

PAGE = {"locale": "zh-CN", "page": "https://shop/1", "referrer": "https://r/", "title": "T"}


async def test_a_visitor_gets_a_token_for_a_conversation_of_their_own(house: "House"):
    client = house.browser()
    del client.headers["X-Qingniao"]
    first = (await client.post("/api/v1/visitors", json={})).json()
    second = (await client.post("/api/v1/visitors", json=PAGE)).json()
    claim = house.services.signer.read_visitor(first["token"], house.now_ms)
    assert (claim.visitor, claim.conversation) == (first["visitor"], first["conversation"])
    assert claim.expires_ms == first["expires"]
    assert first["visitor"] != second["visitor"]
    assert second["conversation"] == first["conversation"] + 1


async def test_a_token_is_renewed_and_keeps_its_visitor(house: "House"):
    client = house.browser()
    first = (await client.post("/api/v1/visitors", json={})).json()
    house.now_ms += 5_000
    again = (await client.post("/api/v1/visitors", json={"token": first["token"]})).json()
    assert again["visitor"] == first["visitor"]
    assert again["conversation"] == first["conversation"]
    assert again["expires"] == first["expires"] + 5_000


async def test_a_forged_token_makes_a_new_visitor(house: "House"):
    client = house.browser()
    first = (await client.post("/api/v1/visitors", json={})).json()
    forged = first["token"][:-1] + ("A" if first["token"][-1] != "A" else "B")
    again = (await client.post("/api/v1/visitors", json={"token": forged})).json()
    assert again["visitor"] != first["visitor"]
    assert again["conversation"] != first["conversation"]


async def test_letting_in_is_limited_per_origin(house: "House"):
    client = house.browser("203.0.113.9")
    for _ in range(5):
        assert (await client.post("/api/v1/visitors", json={})).status_code == 200
    answer = await client.post("/api/v1/visitors", json={})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert (await house.browser("203.0.113.10").post("/api/v1/visitors", json={})).is_success
    house.now_ms += 1_000
    assert (await client.post("/api/v1/visitors", json={})).status_code == 200


async def test_an_agent_sees_the_page_of_a_visitor_who_said_nothing(house: "House"):
    agent = await house.sign_in()
    made = (await house.browser().post("/api/v1/visitors", json=PAGE)).json()
    visitor = (await agent.get(f"/api/v1/visitors/{made['visitor']}")).json()["visitor"]
    assert visitor["conversation"] == made["conversation"]
    assert {key: visitor[key] for key in PAGE} == PAGE
    assert visitor["first_seen"] == visitor["last_seen"] == house.now_ms
    assert (await agent.get("/api/v1/visitors/nobody")).status_code == 404


async def test_the_page_is_on_record_once_something_is_said(house: "House"):
    agent = await house.sign_in()
    made = (await house.browser().post("/api/v1/visitors", json=PAGE)).json()
    row = IndexRow(id=made["conversation"], visitor=made["visitor"], last=1, time=5)
    await house.services.index.project([row])
    assert house.services.visitors.arrivals.get(made["visitor"]) is None
    visitor = (await agent.get(f"/api/v1/visitors/{made['visitor']}")).json()["visitor"]
    assert visitor["page"] == PAGE["page"]


async def test_what_an_agent_writes_down_is_kept_and_a_name_is_told(house: "House"):
    agent = await house.sign_in()
    made = (await house.browser().post("/api/v1/visitors", json=PAGE)).json()
    path = f"/api/v1/visitors/{made['visitor']}"
    body = {"name": " 小王 ", "tags": ["VIP", "上海", "VIP"], "note": "prefers mornings"}
    visitor = (await agent.patch(path, json=body)).json()["visitor"]
    assert (visitor["name"], visitor["tags"]) == ("小王", ["VIP", "上海"])
    assert visitor["page"] == PAGE["page"]
    assert house.renamed == [(made["conversation"], "小王")]
    visitor = (await agent.patch(path, json={"phone": "138"})).json()["visitor"]
    assert (visitor["name"], visitor["phone"], visitor["note"]) == (
        "小王",
        "138",
        "prefers mornings",
    )
    assert len(house.renamed) == 1


async def test_overlong_notes_are_refused_but_overlong_pages_are_cut(house: "House"):
    agent = await house.sign_in()
    made = (await house.browser().post("/api/v1/visitors", json={"page": "x" * 5000})).json()
    path = f"/api/v1/visitors/{made['visitor']}"
    assert len((await agent.get(path)).json()["visitor"]["page"]) == 1024
    answer = await agent.patch(path, json={"note": "x" * 5000})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "note")
