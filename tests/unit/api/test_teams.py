"""Teams over HTTP: who may, what is refused and in which words, and what becomes of members."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import House


async def test_a_team_is_made_changed_and_deleted(house: "House"):
    client = await house.sign_in()
    await house.agent("li")
    made = await client.post("/api/v1/teams", json={"name": " 售后组 ", "members": [2, 1, 2]})
    assert made.status_code == 201
    team = made.json()
    assert team == {"id": team["id"], "name": "售后组", "description": "", "members": [1, 2]}
    changed = await client.patch(
        f"/api/v1/teams/{team['id']}", json={"name": "退换组", "description": " 退货、换货 "}
    )
    assert changed.json() == team | {"name": "退换组", "description": "退货、换货"}
    assert (await client.get("/api/v1/teams")).json() == {"teams": [changed.json()]}
    emptied = await client.patch(f"/api/v1/teams/{team['id']}", json={"members": []})
    assert emptied.json()["members"] == []
    assert (await client.delete(f"/api/v1/teams/{team['id']}")).status_code == 204
    assert (await client.get("/api/v1/teams")).json() == {"teams": []}
    for call in ("patch", "delete"):
        more: dict[str, Any] = {"json": {}} if call == "patch" else {}
        answer = await getattr(client, call)(f"/api/v1/teams/{team['id']}", **more)
        assert answer.status_code == 404


async def test_a_name_is_taken_once_whatever_its_case(house: "House"):
    client = await house.sign_in()
    await client.post("/api/v1/teams", json={"name": "Returns"})
    other = (await client.post("/api/v1/teams", json={"name": "Delivery"})).json()
    for answer in (
        await client.post("/api/v1/teams", json={"name": "returns "}),
        await client.patch(f"/api/v1/teams/{other['id']}", json={"name": "RETURNS"}),
    ):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (409, "team_taken", "name")
    same = await client.patch(f"/api/v1/teams/{other['id']}", json={"name": "delivery"})
    assert same.json()["name"] == "delivery"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "退货，换货"}, "name"),
        ({"name": "组:一"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "“售后”"}, "name"),
        ({"name": "None"}, "name"),
        ({"name": "其他"}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "字" * 65}, "name"),
        ({"name": "a", "description": "字" * 501}, "description"),
        ({"name": "a", "members": [77]}, "members"),
    ],
)
async def test_what_a_bot_could_not_say_back_or_nobody_is_is_refused(
    house: "House", body: dict[str, Any], field: str
):
    client = await house.sign_in()
    answer = await client.post("/api/v1/teams", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert (await client.get("/api/v1/teams")).json() == {"teams": []}


async def test_agents_may_not_manage_teams(house: "House"):
    client = await house.sign_in()
    team = (await client.post("/api/v1/teams", json={"name": "售后组"})).json()
    agent = await house.agent()
    for answer in (
        await agent.get("/api/v1/teams"),
        await agent.post("/api/v1/teams", json={"name": "我的"}),
        await agent.patch(f"/api/v1/teams/{team['id']}", json={"members": [2]}),
        await agent.delete(f"/api/v1/teams/{team['id']}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")


async def test_there_can_be_a_hundred_teams(house: "House"):
    client = await house.sign_in()
    for number in range(100):
        answer = await client.post("/api/v1/teams", json={"name": f"第{number}组"})
        assert answer.status_code == 201
    answer = await client.post("/api/v1/teams", json={"name": "再一组"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
