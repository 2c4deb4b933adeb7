"""Session: what each phase answers, and every limit with its documented answer."""

import pytest

from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    MAX_INT,
    Body,
    Busy,
    Bye,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Limits,
    Ping,
    Pong,
    Read,
    Send,
    Typing,
    Unfollow,
    UpFrame,
)
from qingniao.protocol.session import Phase, Session

NOW = 1_795_500_000_000
FILE = {"id": "f" * 22, "name": "单.png", "size": 9, "mime": "image/png"}


def _new(**limits: float) -> Session:
    return Session(Limits(**{"rate": 10.0, **limits}), NOW)  # type: ignore[arg-type]


def _visitor(**limits: float) -> Session:
    session = _new(**limits)
    assert session.check(Hello("t", "d1"), NOW) is None
    session.become_visitor("visitor-7", 7)
    return session


def _agent(**limits: float) -> Session:
    session = _new(**limits)
    assert session.check(Hello("t", "d1"), NOW) is None
    session.become_agent(3, "周宁")
    return session


def _text(n: int, body: Body = "在吗", conversation: int = 7) -> Send:
    return Send(conversation, n, EntryType.TEXT, body)


@pytest.mark.parametrize("frame", [Ping(1), Follow(7), _text(1), Typing(7, on=True)])
def test_anything_before_hello_closes_with_no_hello(frame: UpFrame) -> None:
    verdict = _new().check(frame, NOW)
    assert isinstance(verdict, Bye)
    assert verdict.code == Close.NO_HELLO


@pytest.mark.parametrize("device", ["", "d" * 33, "a b", "设备", "a/b", "a\n"])
def test_hello_with_a_wrong_device_is_malformed(device: str) -> None:
    verdict = _new().check(Hello("t", device), NOW)
    assert isinstance(verdict, Bye)
    assert verdict.code == Close.MALFORMED


@pytest.mark.parametrize("device", ["d", "Az09_-", "d" * 32])
def test_hello_with_a_good_device_is_carried_out_once(device: str) -> None:
    session = _new()
    assert session.check(Hello("t", device), NOW) is None
    assert session.device == device
    again = session.check(Hello("t", device), NOW)
    assert isinstance(again, Error)
    assert (again.code, again.temporary) == (Code.OUT_OF_ORDER, False)


def test_hello_may_name_as_many_conversations_as_may_be_followed() -> None:
    cursors = [(number, 0) for number in range(1, 4)]
    assert _new(follows=3).check(Hello("t", "d", cursors), NOW) is None
    verdict = _new(follows=2).check(Hello("t", "d", cursors), NOW)
    assert isinstance(verdict, Bye)
    assert verdict.code == Close.MALFORMED


def test_send_before_welcome_is_busy() -> None:
    session = _new()
    session.check(Hello("t", "d"), NOW)
    assert session.check(_text(1), NOW) == Busy(7, 1, 100)


def test_second_hello_is_out_of_order() -> None:
    verdict = _visitor().check(Hello("t", "d1"), NOW)
    assert isinstance(verdict, Error)
    assert verdict.code == Code.OUT_OF_ORDER


def test_closed_session_carries_nothing_out() -> None:
    session = _visitor()
    session.close()
    assert session.phase is Phase.CLOSED
    for frame in (_text(1), Ping(1), Hello("t", "d")):
        assert isinstance(session.check(frame, NOW), Bye)


@pytest.mark.parametrize(
    "frame",
    [
        Follow(8),
        Unfollow(8),
        Read(8, 1),
        Typing(8, on=True),
        History(8, 1),
        Follow(0),
        History(0, 9),
    ],
)
def test_visitor_sees_no_other_conversation_and_no_inbox(frame: UpFrame) -> None:
    verdict = _visitor().check(frame, NOW)
    assert isinstance(verdict, Error)
    assert verdict.code == Code.NOT_YOURS


@pytest.mark.parametrize("conversation", [-1, MAX_INT + 1, 2**63])
def test_agent_sees_every_number_a_conversation_can_have(conversation: int) -> None:
    agent = _agent()
    assert agent.check(Follow(0), NOW) is None
    assert agent.check(Follow(MAX_INT), NOW) is None
    verdict = agent.check(Follow(conversation), NOW)
    assert isinstance(verdict, Error)
    assert verdict.code == Code.NOT_YOURS


@pytest.mark.parametrize("frame", [Ping(-1), Ping(MAX_INT), Pong(1)])
def test_ping_and_pong_are_always_carried_out_when_ready(frame: UpFrame) -> None:
    assert _visitor().check(frame, NOW) is None


@pytest.mark.parametrize("session", [_visitor(), _agent()])
def test_nobody_sends_to_the_inbox(session: Session) -> None:
    verdict = session.check(_text(1, conversation=0), NOW)
    assert isinstance(verdict, Error)
    assert verdict.code == Code.NOT_YOURS


@pytest.mark.parametrize("n", [0, -1, 2**32])
def test_n_out_of_range_is_a_bad_frame(n: int) -> None:
    verdict = _visitor().check(_text(n), NOW)
    assert isinstance(verdict, Error)
    assert (verdict.n, verdict.code) == (n, Code.BAD_FRAME)


@pytest.mark.parametrize("kind", [-1, 0, 3, 4, 5, 8, 10, 1 << 40])
def test_no_client_sends_what_the_server_writes(kind: int) -> None:
    for session in (_visitor(), _agent()):
        verdict = session.check(Send(7, 1, kind, "x"), NOW)
        assert isinstance(verdict, Error)
        assert verdict.code == Code.NOT_ALLOWED


def test_visitors_rate_and_agents_note() -> None:
    rating, note = Send(7, 1, EntryType.RATING, {"score": 5}), Send(7, 1, EntryType.NOTE, "记")
    assert _visitor().check(rating, NOW) is None
    assert _agent().check(note, NOW) is None
    for session, frame in ((_agent(), rating), (_visitor(), note)):
        verdict = session.check(frame, NOW)
        assert isinstance(verdict, Error)
        assert verdict.code == Code.NOT_ALLOWED


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (EntryType.TEXT, ""), (EntryType.TEXT, " \n\t　"), (EntryType.TEXT, None),
        (EntryType.TEXT, {"text": "x"}), (EntryType.TEXT, "字" * 41),
        (EntryType.FILE, "x"), (EntryType.FILE, None), (EntryType.FILE, {}),
        (EntryType.FILE, FILE | {"id": "short"}), (EntryType.FILE, FILE | {"id": "../" * 8}),
        (EntryType.FILE, FILE | {"size": "9"}), (EntryType.FILE, FILE | {"extra": 1}),
        (EntryType.FILE, FILE | {"size": True}), (EntryType.FILE, FILE | {"name": "n" * 256}),
        (EntryType.FILE, FILE | {"size": 10**30}), (EntryType.FILE, FILE | {"w": -1}),
        (EntryType.FILE, FILE | {"size": 2**64}), (EntryType.FILE, FILE | {"mime": "m" * 101}),
        (EntryType.RATING, "5"), (EntryType.RATING, {}), (EntryType.RATING, {"score": 0}),
        (EntryType.RATING, {"score": 6}), (EntryType.RATING, {"score": True}),
        (EntryType.RATING, {"score": 4.0}), (EntryType.RATING, {"score": 4, "comment": 1}),
        (EntryType.RATING, {"score": 4, "comment": "字" * 41}),
        (EntryType.RATING, {"score": 4, "by": "v"}), (EntryType.RATING, {"score": 6, "of": 3}),
        (EntryType.RATING, {"score": 5, "of": 0}), (EntryType.RATING, {"score": 5, "of": "3"}),
        (EntryType.RATING, {"of": 3}),
        (EntryType.ACTION, "handoff"), (EntryType.ACTION, {}), (EntryType.ACTION, {"do": 1}),
        (EntryType.ACTION, {"do": "handoff", "to": 3}),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_body_is_refused_in_a_sentence(kind: int, body: Body) -> None:
    verdict = _visitor(body_chars=40).check(Send(7, 4, kind, body), NOW)
    assert isinstance(verdict, Error)
    assert (verdict.n, verdict.code, verdict.temporary) == (4, Code.BAD_BODY, False)
    assert verdict.text.endswith(".")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (EntryType.TEXT, "字" * 40), (EntryType.FILE, FILE),
        (EntryType.FILE, FILE | {"w": 1, "h": 2}),
        (EntryType.RATING, {"score": 1}), (EntryType.RATING, {"score": 0, "of": 3}),
        (EntryType.RATING, {"score": 5, "comment": "好"}),
        (EntryType.RATING, {"score": 5, "of": 3, "comment": "好"}),
        (EntryType.ACTION, {"do": "handoff"}),
    ],
    ids=str,
)  # fmt: skip
def test_right_body_is_carried_out(kind: int, body: Body) -> None:
    assert _visitor(body_chars=40).check(Send(7, 1, kind, body), NOW) is None


def test_rate_allows_a_burst_then_answers_busy_with_the_wait() -> None:
    session = _visitor(rate=2.0)
    taken = 0
    while not isinstance(verdict := session.check(_text(taken + 1), NOW), Busy):
        assert verdict is None
        taken += 1
    assert taken == 6  # three seconds' worth
    assert 0 < verdict.retry_after_ms <= 501
    assert session.check(_text(taken + 1), NOW + verdict.retry_after_ms) is None


def test_average_rate_is_kept_over_a_minute() -> None:
    session = _visitor(rate=5.0)
    taken = 0
    for tick in range(60_000 // 20):
        if session.check(_text(taken + 1), NOW + tick * 20) is None:
            taken += 1
    assert 60 * 5 <= taken <= 60 * 5 + 15


def test_clock_that_steps_back_is_not_charged_to_the_client() -> None:
    session = _visitor(rate=2.0)
    assert session.check(_text(1), NOW) is None
    assert session.check(_text(2), NOW - 3_600_000) is None
    assert session.check(_text(3), NOW - 3_599_000) is None


def test_what_follows_a_busy_message_waits_for_it() -> None:
    session = _visitor()
    session.stall(7, 4)
    assert isinstance(session.check(_text(5), NOW), Busy)
    assert isinstance(session.check(_text(6), NOW), Busy)
    assert session.check(_text(4), NOW) is None
    assert session.check(_text(5), NOW) is None


def test_busy_in_one_conversation_does_not_hold_up_another() -> None:
    session = _agent()
    session.stall(7, 4)
    assert session.check(_text(1, conversation=8), NOW) is None
    assert isinstance(session.check(_text(5), NOW), Busy)


def test_first_stalled_message_is_the_one_waited_for() -> None:
    session = _visitor()
    session.stall(7, 4)
    session.stall(7, 6)
    assert isinstance(session.check(_text(5), NOW), Busy)


def test_an_earlier_message_that_comes_twice_lets_nothing_past_the_stalled_one() -> None:
    session = _visitor()
    session.stall(7, 4)
    assert session.check(_text(3), NOW) is None, "a repeat, which the log will know"
    assert isinstance(session.check(_text(5), NOW), Busy), "4 has not come"
    assert session.check(_text(4), NOW) is None
    assert session.check(_text(5), NOW) is None


def test_repeat_without_room_does_not_replace_the_one_waited_for() -> None:
    session = _visitor()
    session.stall(7, 9)
    session.stall(7, 4)  # it came twice; the first copy is on its way to the disk
    session.stored(7, 4)
    assert isinstance(session.check(_text(10), NOW), Busy), "9 has not come"
    assert session.check(_text(9), NOW) is None


def test_repeat_of_what_is_stored_holds_nothing_up_though_there_is_no_room() -> None:
    session = _visitor()
    session.stored(7, 4)  # acked; the client will not send it a third time
    session.stall(7, 4)
    assert session.check(_text(5), NOW) is None
    session.stall(7, 5)
    assert isinstance(session.check(_text(6), NOW), Busy), "5 is not stored"


def test_what_was_told_busy_behind_a_repeat_comes_before_what_follows_it() -> None:
    session = _visitor()
    session.stall(7, 4)  # a repeat: 4 to 9 are on their way to the disk
    assert isinstance(session.check(_text(10), NOW), Busy)
    session.stored(7, 9)
    assert isinstance(session.check(_text(11), NOW), Busy), "10 was told busy"
    assert session.check(_text(10), NOW) is None
    assert session.check(_text(11), NOW) is None


def test_nothing_waits_for_a_number_that_is_stored() -> None:
    session = _visitor()
    session.stall(7, 4)
    session.stored(7, 3)
    assert isinstance(session.check(_text(5), NOW), Busy)
    session.stored(7, 4)
    assert session.check(_text(5), NOW) is None
    session.stored(7, 5)


def test_what_follows_a_refused_message_is_a_hole_until_its_number_is_used() -> None:
    # The client gives a refused number to the next message. An answer about the *content* of
    # what was sent under the old numbers would then hit the wrong message.
    session = _visitor()
    assert isinstance(session.check(_text(4, body=""), NOW), Error)
    for n in (5, 6):
        verdict = session.check(_text(n, body=""), NOW)
        assert isinstance(verdict, Error)
        assert (verdict.n, verdict.code, verdict.expected) == (n, Code.HOLE, 4)
    assert session.check(_text(4), NOW) is None
    assert session.check(_text(5), NOW) is None


def test_refusal_further_down_the_line_makes_a_hole_too() -> None:
    session = _visitor()
    session.refuse(7, 2)
    verdict = session.check(_text(3), NOW)
    assert isinstance(verdict, Error)
    assert (verdict.code, verdict.expected) == (Code.HOLE, 2)
    assert session.check(_text(2), NOW) is None


def test_flooding_in_spite_of_busy_closes() -> None:
    session = _visitor(rate=1.0)
    answers = [session.check(_text(n), NOW) for n in range(1, 300)]
    flooding = [answer for answer in answers if isinstance(answer, Bye)]
    assert flooding[0].code == Close.FLOODING
    assert answers.index(flooding[0]) >= 200


def test_client_that_waits_when_told_is_never_flooding() -> None:
    session, now = _visitor(rate=1.0), NOW
    for n in range(1, 400):
        while isinstance(verdict := session.check(_text(n), now), Busy):
            now += verdict.retry_after_ms
        assert verdict is None
