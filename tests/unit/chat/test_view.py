"""What each side may see. The visitor's side is checked for every kind of entry."""

import pytest

from qingniao.chat.head import Head, preview_of
from qingniao.chat.lifecycle import Status
from qingniao.chat.view import AGENTS_ONLY, for_visitor, standing, summary
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import Body, Entry, EntryType

SECRET = "机密"
BODIES: dict[EntryType, Body] = {
    EntryType.HIDDEN: None,
    EntryType.TEXT: "你好",
    EntryType.FILE: {"id": "f", "name": "单.png"},
    EntryType.ANSWER: {"text": "在的"},
    EntryType.STATUS: {
        "from": "bot", "to": "waiting", "why": SECRET, "by": "b", "session": 1,
    },
    EntryType.SUMMARY: {"text": SECRET},
    EntryType.NOTE: SECRET,
    EntryType.RATING: {"score": 5},
    EntryType.STEP: {"answers": 1, "trace": [{"say": SECRET}], "unsaid": [SECRET]},
    EntryType.ACTION: {"do": "handoff"},
}  # fmt: skip


@pytest.mark.parametrize("kind", EntryType, ids=lambda kind: kind.name)
def test_visitor_never_sees_what_is_for_agents(kind: EntryType) -> None:
    seen = for_visitor(Entry(7, 4, 1_000, "a3", kind, BODIES[kind]))
    assert SECRET.encode() not in MSGPACK.encode(seen)
    assert (seen.conversation, seen.seq, seen.time) == (7, 4, 1_000)
    if kind in AGENTS_ONLY:
        assert (seen.type, seen.body, seen.sender) == (EntryType.HIDDEN, None, "s")


@pytest.mark.parametrize(
    "kind", sorted(set(EntryType) - AGENTS_ONLY - {EntryType.STATUS}), ids=lambda kind: kind.name
)
def test_visitor_sees_the_rest_unchanged(kind: EntryType) -> None:
    entry = Entry(7, 4, 1_000, "v", kind, BODIES[kind])
    assert for_visitor(entry) is entry


def _head() -> Head:
    return Head(
        7, "visitor-7", last=9, status=Status.WAITING, session=2, since=5, why=SECRET, time=6,
        preview="在吗", sender="v", visitor_name="张三", read_visitor=3, read_agent=4,
    )  # fmt: skip


def test_visitor_learns_where_the_conversation_stands_and_no_more() -> None:
    fields = standing(_head(), agent=False)
    assert fields == {
        "status": "waiting", "assignee": None, "last": 9, "session": 2,
        "read": {"v": 3, "a": 4},
    }  # fmt: skip


def test_agent_learns_why_and_who() -> None:
    fields = standing(_head(), agent=True)
    assert (fields["why"], fields["visitor"]) == (SECRET, {"id": "visitor-7", "name": "张三"})
    assert standing(_head(), agent=False).items() <= fields.items()


def test_list_item_is_the_standing_with_a_number() -> None:
    item = summary(_head(), online=True)
    assert item == {"id": 7, "online": True, **standing(_head(), agent=True)}


def test_assignee_is_named() -> None:
    head = Head(7, "v", status=Status.OPEN, assignee=3, assignee_name="周宁")
    assert standing(head, agent=False)["assignee"] == {"id": 3, "name": "周宁"}


@pytest.mark.parametrize(
    ("kind", "body", "preview"),
    [
        (EntryType.TEXT, "字" * 100, "字" * 80), (EntryType.NOTE, "记", ""),
        (EntryType.ANSWER, {"text": "在"}, "在"), (EntryType.FILE, {"name": "a.png"}, "[a.png]"),
        (EntryType.STEP, {"text": "内部"}, ""), (EntryType.TEXT, None, ""),
    ],
    ids=str,
)  # fmt: skip
def test_preview_is_one_short_line_of_what_a_list_shows(
    kind: int, body: Body, preview: str
) -> None:
    assert preview_of(kind, body) == preview


def test_the_team_is_told_to_agents_only() -> None:
    head = Head(7, "v", status=Status.WAITING, team=3, team_name="售后组")
    assert standing(head, agent=True)["team"] == {"id": 3, "name": "售后组"}
    assert standing(Head(7, "v"), agent=True)["team"] is None
    assert "team" not in standing(head, agent=False)
    body = {"to": "waiting", "why": "angry", "team": {"id": 3, "name": "售后组"}}
    seen = for_visitor(Entry(7, 1, 0, "s", EntryType.STATUS, body))
    assert seen.body == {"to": "waiting"}
