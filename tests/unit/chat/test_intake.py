"""What may enter a log, and as what: every kind of intent, and every refusal."""

from typing import Any

import pytest

from qingniao.chat.head import RATINGS_KEPT, Head, fold
from qingniao.chat.intake import (
    Decision,
    Intent,
    Message,
    Move,
    Outcome,
    Rename,
    Reported,
    Wanted,
    decide,
)
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Body, EntryType

NOW = 1_795_500_000_000


class Talk:
    """A conversation without a store: decides, folds, and keeps the entries."""

    def __init__(self) -> None:
        self.head = Head(7, "visitor-7")
        self.entries: list[Any] = []
        self.sent: dict[str, int] = {}
        self.now = NOW

    def offer(self, intent: Intent) -> Decision:
        self.now += 1_000
        decision = decide(self.head, intent, self.now)
        for entry in decision.entries:
            fold(self.head, entry, decision.device, decision.n)
            self.entries.append(entry)
        return decision

    def _send(self, sender: str, kind: int, body: Body, **more: Any) -> Decision:
        device = f"{sender}/d"
        n = self.head.devices.get(device, (0, 0))[0] + 1
        return self.offer(Message(7, sender, "d", n, kind, body, **more))

    def visitor(self, body: Body = "在吗", kind: int = EntryType.TEXT) -> Decision:
        return self._send("v", kind, body, visitor="visitor-7")

    def agent(self, body: Body = "您好", kind: int = EntryType.TEXT, *, id: int = 3) -> Decision:
        return self._send(f"a{id}", kind, body, agent=id, name=f"客服{id}")

    def act(self, do: str, *, by: int = 0) -> Decision:
        kind = EntryType.ACTION
        return self.agent({"do": do}, kind, id=by) if by else self.visitor({"do": do}, kind)

    def answer(self, text: str = "在的", **changes: Any) -> Decision:
        given = {
            "says": ((EntryType.ANSWER, {"text": text}),), "state": {"node": "n1"},
            "trace": ({"node": "n1"},),
        }  # fmt: skip
        outcome = Outcome(7, self.head.session, self.head.asked, **{**given, **changes})
        return self.offer(outcome)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_text_becomes_an_entry_and_owes_an_answer(talk: Talk) -> None:
    decision = talk.visitor("退货")
    (entry,) = decision.entries
    assert (entry.seq, entry.sender, entry.type, entry.body) == (1, "v", EntryType.TEXT, "退货")
    assert talk.head.owes_answer
    assert (talk.head.preview, talk.head.sender, talk.head.time) == ("退货", "v", talk.now)


def test_deciding_changes_nothing(talk: Talk) -> None:
    talk.visitor()
    before = repr(talk.head)
    for intent in (
        Message(7, "v", "d", 2, EntryType.TEXT, "还在吗"),
        Move(7, Event.HANDOFF, Why.RULE),
        Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),)),
        Rename(7, "张三"),
    ):
        decide(talk.head, intent, NOW)
        assert repr(talk.head) == before


def test_answer_pays_what_is_owed(talk: Talk) -> None:
    talk.visitor()
    decision = talk.answer()
    assert [entry.type for entry in decision.entries] == [EntryType.STEP, EntryType.ANSWER]
    assert [entry.seq for entry in decision.entries] == [2, 3]
    assert not talk.head.owes_answer
    assert talk.head.flow == {"node": "n1"}


def test_same_outcome_twice_is_a_repeat(talk: Talk) -> None:
    talk.visitor()
    outcome = Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),))
    assert talk.offer(outcome).entries
    again = talk.offer(outcome)
    assert (again.repeat, again.entries) == (True, [])


def test_answer_to_the_first_of_two_questions_still_owes_the_second(talk: Talk) -> None:
    talk.visitor("一")
    talk.visitor("二")
    talk.offer(Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "答一"}),)))
    assert talk.head.owes_answer
    talk.offer(Outcome(7, 1, 2, ((EntryType.ANSWER, {"text": "答二"}),)))
    assert not talk.head.owes_answer


def test_answer_after_a_handoff_is_dropped_and_recorded(talk: Talk) -> None:
    talk.visitor()
    talk.act("handoff")
    decision = talk.answer("来晚了")
    (step,) = decision.entries
    assert step.type == EntryType.STEP
    assert step.body["dropped"] == "owned"
    assert step.body["unsaid"] == [{"text": "来晚了"}]
    assert talk.head.status is Status.WAITING
    assert talk.head.flow == {}


def test_answer_from_an_earlier_session_is_dropped_and_recorded(talk: Talk) -> None:
    talk.visitor()
    late = Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "来晚了"}),), state={"node": "old"})
    talk.act("close", by=3)
    talk.visitor("又来了")
    (step,) = talk.offer(late).entries
    assert step.body["dropped"] == "session"
    assert talk.head.owes_answer
    assert talk.head.flow == {}


def test_outcome_may_hand_over_after_its_last_word(talk: Talk) -> None:
    talk.visitor()
    decision = talk.answer("马上为您转接", event=Event.HANDOFF, why=Why.UNSURE)
    assert [entry.type for entry in decision.entries] == [
        EntryType.STEP, EntryType.ANSWER, EntryType.STATUS,
    ]  # fmt: skip
    assert [entry.seq for entry in decision.entries] == [2, 3, 4]
    assert (talk.head.status, talk.head.why) == (Status.WAITING, "unsure")


def test_visitor_may_ask_for_a_person_once(talk: Talk) -> None:
    talk.visitor()
    (entry,) = talk.act("handoff").entries
    assert entry.type == EntryType.STATUS
    assert (entry.body["from"], entry.body["to"], entry.body["why"]) == ("bot", "waiting", "asked")
    assert talk.act("handoff").code == Code.NOT_NOW


@pytest.mark.parametrize("do", ["take", "return", "close"])
def test_visitor_may_not_do_what_agents_do(talk: Talk, do: str) -> None:
    talk.visitor()
    assert talk.act(do).code == Code.NOT_ALLOWED


def test_agent_may_not_ask_for_a_person(talk: Talk) -> None:
    talk.visitor()
    assert talk.act("handoff", by=3).code == Code.NOT_ALLOWED


@pytest.mark.parametrize("do", ["", "TAKE", "assign", "reopen"])
def test_unknown_action_is_a_bad_body(talk: Talk, do: str) -> None:
    talk.visitor()
    assert talk.act(do).code == Code.BAD_BODY


def test_agent_takes_answers_returns_and_closes(talk: Talk) -> None:
    talk.visitor()
    talk.act("handoff")
    talk.act("take", by=3)
    assert (talk.head.status, talk.head.assignee, talk.head.assignee_name) == (
        Status.OPEN, 3, "客服3",
    )  # fmt: skip
    assert talk.act("take", by=3).code == Code.NOT_NOW
    assert [e.type for e in talk.agent().entries] == [EntryType.TEXT]
    talk.act("return", by=3)
    assert (talk.head.status, talk.head.assignee) == (Status.BOT, 0)
    assert talk.act("return", by=3).code == Code.NOT_NOW
    talk.act("close", by=3)
    assert talk.head.status is Status.CLOSED
    assert talk.act("close", by=3).code == Code.NOT_NOW


def test_bot_does_not_answer_what_was_said_to_a_person(talk: Talk) -> None:
    talk.visitor()
    talk.act("take", by=3)
    talk.visitor("对人说的")
    talk.act("return", by=3)
    assert not talk.head.owes_answer
    talk.visitor("对机器人说的")
    assert talk.head.owes_answer


@pytest.mark.parametrize("status", ["bot", "waiting", "closed"])
def test_agent_who_answers_takes_the_conversation(talk: Talk, status: str) -> None:
    talk.visitor()
    if status == "waiting":
        talk.act("handoff")
    if status == "closed":
        talk.act("close", by=3)
    decision = talk.agent("我来", id=4)
    assert [entry.type for entry in decision.entries] == [EntryType.STATUS, EntryType.TEXT]
    assert decision.seq == decision.entries[-1].seq
    assert (talk.head.status, talk.head.assignee) == (Status.OPEN, 4)


def test_other_agent_must_take_over_first(talk: Talk) -> None:
    talk.visitor()
    talk.act("take", by=3)
    decision = talk.agent("我也来", id=4)
    assert decision.code == Code.OWNED
    assert "客服3" in decision.text
    assert talk.act("take", by=4).code == 0
    assert talk.agent("我来", id=4).code == 0
    assert talk.agent("我呢", id=3).code == Code.OWNED


def test_anybody_may_leave_a_note_and_it_takes_nothing(talk: Talk) -> None:
    talk.visitor()
    talk.act("take", by=3)
    (note,) = talk.agent("老客户", EntryType.NOTE, id=4).entries
    assert note.type == EntryType.NOTE
    assert talk.head.assignee == 3
    assert talk.head.preview == "在吗"


def test_writing_again_opens_a_new_session_for_the_bot(talk: Talk) -> None:
    talk.visitor()
    talk.answer()
    talk.act("close", by=3)
    decision = talk.visitor("又来了")
    assert [entry.type for entry in decision.entries] == [EntryType.STATUS, EntryType.TEXT]
    assert (talk.head.status, talk.head.session, talk.head.flow) == (Status.BOT, 2, {})
    assert talk.head.owes_answer


def test_rating_does_not_open_a_closed_conversation(talk: Talk) -> None:
    talk.visitor()
    talk.act("close", by=3)
    decision = talk.visitor({"score": 5}, EntryType.RATING)
    assert [entry.type for entry in decision.entries] == [EntryType.RATING]
    assert talk.head.status is Status.CLOSED


def test_rating_of_an_answer_is_owed_to_its_platform_until_it_is_reported(talk: Talk) -> None:
    talk.visitor()
    talk.answer(message={"bot": "shop", "id": "m1"})
    assert talk.entries[1].body["message"] == {"bot": "shop", "id": "m1"}
    assert talk.visitor({"score": 5, "of": 9}, EntryType.RATING).code == Code.BAD_BODY
    for score in (5, 1):
        talk.visitor({"score": score, "of": 3}, EntryType.RATING)
    talk.visitor({"score": 2}, EntryType.RATING)
    assert (talk.head.rated, talk.head.owes_bot, talk.head.owes_answer) == ((4, 5), True, False)
    (step,) = talk.offer(Reported(7, 4, ({"kind": "rating"},))).entries
    assert (step.type, step.body["rated"]) == (EntryType.STEP, 4)
    assert talk.head.rated == (5,)
    assert talk.offer(Reported(7, 4, ())).repeat
    talk.offer(Reported(7, 5, ()))
    assert (talk.head.rated, talk.head.owes_bot) == ((), False)
    for _ in range(40):
        talk.visitor({"score": 5, "of": 3}, EntryType.RATING)
    assert len(talk.head.rated) == RATINGS_KEPT


def test_asking_for_a_person_opens_a_closed_conversation_and_waits(talk: Talk) -> None:
    talk.visitor()
    talk.act("close", by=3)
    talk.act("handoff")
    assert (talk.head.status, talk.head.session) == (Status.WAITING, 2)


@pytest.mark.parametrize("session", [0, 1])
def test_worker_moves_within_the_session(talk: Talk, session: int) -> None:
    talk.visitor()
    talk.act("handoff")
    move = Move(7, Event.ASSIGN, Why.LEAST_BUSY, 4, "客服4", session)
    assert talk.offer(move).code == 0
    assert (talk.head.status, talk.head.assignee, talk.head.why) == (Status.OPEN, 4, "asked")
    assert talk.offer(move).code == Code.NOT_NOW


def test_worker_with_an_old_session_is_refused(talk: Talk) -> None:
    talk.visitor()
    talk.act("close", by=3)
    talk.visitor()
    talk.act("handoff")
    move = Move(7, Event.ASSIGN, Why.LEAST_BUSY, 4, "客服4", 1)
    assert talk.offer(move).code == Code.NOT_NOW
    assert talk.head.status is Status.WAITING


def test_refused_message_does_not_use_its_number(talk: Talk) -> None:
    talk.visitor()
    assert talk.act("return").code == Code.NOT_ALLOWED
    decision = talk.visitor("照常")
    assert (decision.code, decision.n) == (0, 2)


def test_devices_count_apart(talk: Talk) -> None:
    talk.visitor()
    other = talk.offer(Message(7, "v", "other", 1, EntryType.TEXT, "另一个标签页"))
    assert (other.code, other.n, other.seq) == (0, 1, 2)
    as_agent = talk.offer(Message(7, "a3", "d", 1, EntryType.NOTE, "记", agent=3))
    assert (as_agent.code, as_agent.n) == (0, 1)


def test_rename_makes_no_entry(talk: Talk) -> None:
    talk.visitor()
    assert talk.offer(Rename(7, "张三")).entries == []


AFTER_SALES = Wanted(3, "售后组")


def handed_to_a_team(talk: Talk) -> None:
    talk.visitor()
    talk.answer(event=Event.HANDOFF, why=Why.UNSURE, team=AFTER_SALES)


def test_handoff_to_a_team_says_which(talk: Talk) -> None:
    handed_to_a_team(talk)
    assert talk.entries[-1].body["team"] == {"id": 3, "name": "售后组"}
    assert (talk.head.team, talk.head.team_name) == (3, "售后组")


def test_team_is_kept_while_people_have_the_conversation(talk: Talk) -> None:
    handed_to_a_team(talk)
    for move in (
        Move(7, Event.ASSIGN, Why.LEAST_BUSY, 3, "客服3"),
        Move(7, Event.REQUEUE, Why.AGENT_LEFT),
        Move(7, Event.TAKE, Why.TOOK, 4, "客服4"),
    ):
        talk.offer(move)
        assert talk.head.team == 3


@pytest.mark.parametrize("event", [Event.RETURN, Event.CLOSE])
def test_team_is_forgotten_when_nobody_has_the_conversation(talk: Talk, event: Event) -> None:
    handed_to_a_team(talk)
    talk.offer(Move(7, event, Why.RETURNED))
    assert (talk.head.team, talk.head.team_name) == (0, "")
    talk.act("handoff")
    assert talk.head.team == 0


def test_call_for_a_person_that_comes_late_is_recorded_and_not_made(talk: Talk) -> None:
    talk.visitor()
    talk.act("take", by=3)
    decision = talk.answer(event=Event.HANDOFF, why=Why.BOT_CALLED, team=AFTER_SALES)
    (step,) = decision.entries
    assert step.body["dropped"] == "owned"
    assert step.body["uncalled"] == {"why": "bot_called", "team": "售后组"}
    assert (talk.head.status, talk.head.team) == (Status.OPEN, 0)
