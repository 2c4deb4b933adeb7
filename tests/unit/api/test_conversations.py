"""Lists of conversations: their order, their pages, and that they show what is true now."""

from typing import TYPE_CHECKING, Any

import httpx

from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Status
from qingniao.chat.view import summary
from qingniao.storage.rows import IndexRow

if TYPE_CHECKING:
    from tests.unit.api.conftest import House


async def project(house: "House", *heads: Head) -> None:
    """What the projector does with heads."""
    house.heads |= {head.conversation: head for head in heads}
    await house.services.index.project(
        [
            IndexRow(
                id=head.conversation,
                visitor=head.visitor,
                visitor_name=head.visitor_name,
                status=head.status.value,
                assignee=head.assignee,
                last=head.last,
                time=head.time,
                since=head.since,
                preview=head.preview,
            )
            for head in heads
        ]
    )


def head(number: int, **fields: Any) -> Head:
    given = {"last": 3, "time": number * 10, "since": number, "preview": f"message {number}"}
    return Head(conversation=number, visitor=f"visitor{number}", **given | fields)


async def pages(client: httpx.AsyncClient, view: str, key: str, **params: Any) -> list[list[int]]:
    """Every page of a view, as a client that follows `before` sees them."""
    found: list[list[int]] = []
    query: dict[str, Any] = {"view": view, **params}
    while True:
        answer = await client.get("/api/v1/conversations", params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found.append([item["id"] for item in body["conversations"]])
        if not body["more"]:
            return found
        query["before"] = body["conversations"][-1][key]


async def test_all_comes_newest_first_in_pages_without_gap_or_repeat(house: "House"):
    client = await house.sign_in()
    await project(house, *(head(number) for number in range(1, 8)))
    assert await pages(client, "all", "time", limit=3) == [[7, 6, 5], [4, 3, 2], [1]]


async def test_a_page_never_ends_within_a_millisecond(house: "House"):
    client = await house.sign_in()
    await project(house, *(head(number, time=number // 4 + 1) for number in range(1, 10)))
    assert await pages(client, "all", "time", limit=3) == [[8, 9, 4, 5, 6, 7], [1, 2, 3]]


async def test_the_longest_wait_comes_first(house: "House"):
    client = await house.sign_in()
    await project(
        house,
        head(1, status=Status.WAITING, since=30),
        head(2, status=Status.WAITING, since=10),
        head(3, status=Status.WAITING, since=20),
        head(4),
    )
    assert await pages(client, "waiting", "since", limit=2) == [[2, 3], [1]]


async def test_mine_holds_what_i_have_open_and_counts_are_of_all_views(house: "House"):
    client = await house.sign_in()
    await project(
        house,
        head(1, status=Status.OPEN, assignee=1, assignee_name="管理员"),
        head(2, status=Status.OPEN, assignee=7, assignee_name="Li"),
        head(3, status=Status.CLOSED, assignee=1, assignee_name="管理员"),
        head(4, status=Status.WAITING),
        head(5, time=0, last=0),
    )
    answer = (await client.get("/api/v1/conversations", params={"view": "mine"})).json()
    assert [item["id"] for item in answer["conversations"]] == [1]
    assert answer["counts"] == {"mine": 1, "waiting": 1, "all": 4}


async def test_an_item_has_the_fields_of_a_state_frame(house: "House"):
    client = await house.sign_in()
    await project(house, head(1, status=Status.WAITING, why="asked", visitor_name="小王"))
    house.online.add("v:visitor1")
    answer = (await client.get("/api/v1/conversations", params={"view": "all"})).json()
    assert answer["conversations"] == [summary(house.heads[1], online=True)]


async def test_a_list_shows_what_is_true_now_not_what_was_projected(house: "House"):
    client = await house.sign_in()
    await project(house, head(1, status=Status.WAITING), head(2, status=Status.WAITING))
    house.heads[1].status = Status.OPEN
    house.heads[2].preview = "said a moment ago"
    answer = (await client.get("/api/v1/conversations", params={"view": "waiting"})).json()
    assert [item["preview"] for item in answer["conversations"]] == ["said a moment ago"]


async def test_search_takes_its_signs_literally(house: "House"):
    client = await house.sign_in()
    await project(
        house,
        head(1, preview="可以打8折吗"),
        head(2, preview="100% sure"),
        head(3, visitor_name="Percy_100"),
        head(4, preview="100 sure"),
    )
    assert await pages(client, "all", "time", q="100%") == [[2]]
    assert await pages(client, "all", "time", q="y_1") == [[3]]
    assert await pages(client, "all", "time", q="8折") == [[1]]
    assert await pages(client, "all", "time", q="SURE") == [[4, 2]]


async def test_an_unknown_conversation_does_not_exist(house: "House"):
    client = await house.sign_in()
    answer = await client.get("/api/v1/conversations/77")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert (await client.get("/api/v1/conversations/abc")).status_code == 404


async def test_a_conversation_can_be_read_before_it_is_projected(house: "House"):
    client = await house.sign_in()
    house.heads[5] = head(5, visitor_name="小王")
    answer = (await client.get("/api/v1/conversations/5")).json()
    assert answer["conversation"]["preview"] == "message 5"
    assert answer["visitor"]["id"] == "visitor5"
    assert answer["visitor"]["name"] == "小王"


async def test_wrong_parameters_are_named(house: "House"):
    client = await house.sign_in()
    for params, field in (({"limit": 0}, "limit"), ({"view": "yours"}, "view")):
        answer = await client.get("/api/v1/conversations", params=params)
        assert answer.status_code == 400
        assert answer.json()["error"]["field"] == field


async def test_conversations_are_for_agents(house: "House"):
    for call in ("/conversations", "/conversations/1", "/visitors/x"):
        answer = await house.browser().get(f"/api/v1{call}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")
