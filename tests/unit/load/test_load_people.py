"""A visitor of a load keeps to the protocol, and nothing that was wanted disappears from the count.

The socket is a list; what the server says comes as frames.
"""

import asyncio
from typing import Any, cast

import pytest

from qingniao.load.crowd import Crowd, Order
from qingniao.load.people import Agent, Visitor
from qingniao.load.plan import Plan, check, divide
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import (
    Ack,
    Busy,
    Entry,
    EntryType,
    Error,
    Hello,
    Limits,
    Send,
    Welcome,
)

CREDIT = 4
HELLO = MSGPACK.encode(Hello("token", "d1"))
WELCOME = Welcome("s1", 0, Limits(credit=CREDIT), [])


class Wire:
    """The transport's side of a person: what was sent, decoded."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.is_open = True

    def send(self, _kind: object, data: bytes) -> None:
        self.sent.append(MSGPACK.up(data))

    def disconnect(self, graceful: bool = True) -> None:
        self.is_open = False

    @property
    def said(self) -> list[Send]:
        return [frame for frame in self.sent if isinstance(frame, Send)]


class Pair:
    """A visitor and the agent who has the conversation."""

    def __init__(self, *, answers: float = 0.0, ready: bool = True) -> None:
        plan = check(Plan(connections=2, agents=1, answers=answers), has_agents=True, cores=1)
        self.crowd = Crowd(
            Order(
                url="http://127.0.0.1:1", plan=plan, share=divide(plan)[0], tokens=[], ticket="",
                run="r",
            )
        )  # fmt: skip
        self.agent = Agent(self.crowd, HELLO, 0)
        self.visitor = Visitor(self.crowd, HELLO, 0, 7, self.agent)
        self.crowd.visitors[self.visitor] = None
        self.at_visitor, self.at_agent = Wire(), Wire()
        self.agent.on_ws_connected(cast("Any", self.at_agent))
        self.visitor.on_ws_connected(cast("Any", self.at_visitor))
        self.at_visitor.sent.clear()
        self.at_agent.sent.clear()
        self.agent._welcome(WELCOME)
        self.visitor._welcome(WELCOME)
        if ready:
            self.visitor.hear(Ack(7, 1, 1, 0))
            self.agent.hear(Ack(7, 1, 2, 0))
            self.at_visitor.sent.clear()
            self.at_agent.sent.clear()

    def say(self, times: int) -> None:
        for _ in range(times):
            self.visitor.say(self.visitor.asks, 0)

    def deliver(self, send: Send) -> None:
        self.agent.hear(Entry(7, 9, 0, "v", send.type, send.body))


def test_a_conversation_is_handed_to_its_agent_before_anything_is_said() -> None:
    pair = Pair(ready=False)
    assert [s.body for s in pair.at_visitor.said] == [{"do": "handoff"}]
    pair.say(1)
    pair.visitor.hear(Ack(7, 1, 1, 0))
    assert [s.body for s in pair.at_agent.said] == [{"do": "take"}]
    assert len(pair.at_visitor.said) == 1 and not pair.visitor.is_ready
    pair.agent.hear(Ack(7, 1, 2, 0))
    assert pair.visitor.is_ready and [s.n for s in pair.at_visitor.said] == [1, 2]


def test_a_conversation_that_was_assigned_meanwhile_counts_as_taken() -> None:
    pair = Pair(ready=False)
    pair.visitor.hear(Ack(7, 1, 1, 0))
    pair.agent.hear(Error(7, 1, Code.NOT_NOW, "You have it already.", False))
    assert pair.visitor.is_ready
    pair.agent.say(pair.visitor.answers, 0)
    assert [s.n for s in pair.at_agent.said] == [1, 1], "the refused action used no number"


def test_what_exceeds_the_credit_waits_in_line_and_keeps_its_time() -> None:
    pair = Pair()
    pair.say(CREDIT + 2)
    assert [s.n for s in pair.at_visitor.said] == [2, 3, 4, 5]
    pair.visitor.hear(Ack(7, 3, 4, 0))
    assert [s.n for s in pair.at_visitor.said] == [2, 3, 4, 5, 6, 7]
    asks = pair.crowd.tally.asks
    assert (asks.sent, asks.acked, asks.unsent) == (CREDIT + 2, 2, 0)
    # All were due at the machine's start: what waited is as late as the rest.
    assert asks.ack.at(0.01) > 1_000_000


def test_what_no_line_has_room_for_is_unsent_and_not_forgotten() -> None:
    pair = Pair()
    pair.say(1_000)
    asks = pair.crowd.tally.asks
    assert asks.sent == CREDIT and asks.unsent > 800
    pair.visitor.give_up()
    assert asks.sent + asks.unsent == 1_000


def test_an_agent_takes_no_more_at_once_than_the_credit() -> None:
    pair = Pair(ready=False)
    others = [
        Visitor(pair.crowd, HELLO, 0, conversation, pair.agent) for conversation in range(20, 26)
    ]
    for visitor in others:
        pair.agent.take(visitor)
    assert [s.conversation for s in pair.at_agent.said] == [20, 21, 22, 23]
    for conversation in range(20, 26):
        pair.agent.hear(Ack(conversation, 1, 2, 0))
    assert len(pair.at_agent.said) == 6 and all(visitor.is_ready for visitor in others)


async def test_busy_repeats_the_same_number_and_what_followed_it() -> None:
    pair = Pair()
    pair.say(3)
    first = list(pair.at_visitor.said)
    for n in (3, 4):
        pair.visitor.hear(Busy(7, n, 1))
    pair.say(1)
    assert pair.at_visitor.said == first, "nothing new while the server is busy"
    await asyncio.sleep(0.02)
    pair.visitor.hear(Ack(7, 2, 3, 0))
    assert pair.at_visitor.said == [*first, *first[1:], Send(7, 5, 1, pair.crowd.text(4))]
    asks = pair.crowd.tally.asks
    assert (asks.sent, asks.busy, asks.acked) == (4, 2, 1)


def test_a_refusal_ends_what_is_said_there_and_is_counted() -> None:
    pair = Pair()
    pair.say(3)
    pair.visitor.hear(Error(7, 2, Code.BAD_BODY, "Too long.", False))
    for n in (3, 4):
        pair.visitor.hear(Error(7, n, Code.HOLE, "Send 2 first.", False, 2))
    pair.say(1)
    asks = pair.crowd.tally.asks
    assert (asks.sent, asks.refused, asks.unsent) == (3, 3, 1)
    assert pair.crowd.tally.errors == {"112": 1, "113": 2}


def test_arrivals_are_matched_by_number_and_a_second_one_is_a_repeat() -> None:
    pair = Pair()
    pair.say(2)
    for send in (*pair.at_visitor.said, pair.at_visitor.said[0]):
        pair.deliver(send)
    pair.agent.hear(Entry(7, 12, 0, "v", EntryType.TEXT, "99 never said"))
    pair.agent.hear(Entry(7, 13, 0, "v", EntryType.TEXT, "not ours at all"))
    asks = pair.crowd.tally.asks
    assert (asks.delivered, asks.repeated) == (2, 1)


@pytest.mark.parametrize("number", [1, 99, 100, 12_345])
def test_a_message_has_the_size_that_was_asked_for(number: int) -> None:
    text = Pair().crowd.text(number)
    assert len(text.encode()) == Plan().text_bytes and text.startswith(f"{number} 青")


def test_the_wanted_share_is_answered() -> None:
    pair = Pair(answers=0.5)
    pair.say(4)
    for send in pair.at_visitor.said:
        pair.deliver(send)
    assert len(pair.at_agent.said) == 2
    pair.visitor.hear(Entry(7, 20, 0, "a1", EntryType.TEXT, pair.at_agent.said[0].body))
    answers = pair.crowd.tally.answers
    assert (answers.sent, answers.delivered) == (2, 1)


@pytest.mark.parametrize(("agent_is_gone", "lost", "cut_off"), [(False, 1, 0), (True, 0, 1)])
def test_lost_is_what_was_acked_and_did_not_reach_an_agent_who_was_there(
    agent_is_gone: bool, lost: int, cut_off: int
) -> None:
    pair = Pair()
    pair.say(3)
    pair.visitor.hear(Ack(7, 3, 4, 0))
    pair.deliver(pair.at_visitor.said[0])
    if agent_is_gone:
        pair.agent.on_ws_disconnected(cast("Any", pair.at_agent))
    pair.crowd._account(pair.visitor)
    asks = pair.crowd.tally.asks
    assert (asks.lost, asks.cut_off, asks.unacked) == (lost, cut_off, 1)


def test_a_connection_that_ends_is_dropped_with_its_code_unless_it_left_by_itself() -> None:
    pair = Pair()
    pair.visitor.code = 3009
    pair.visitor.on_ws_disconnected(cast("Any", pair.at_visitor))
    pair.agent.leave()
    pair.agent.on_ws_disconnected(cast("Any", pair.at_agent))
    assert pair.crowd.tally.dropped == {"3009": 1} and not pair.at_agent.is_open
    pair.say(1)
    assert pair.crowd.tally.asks.unsent == 1


def test_a_visitor_of_a_day_leaves_when_everything_has_arrived() -> None:
    pair = Pair()
    pair.visitor.to_say = 2
    pair.say(2)
    pair.visitor.hear(Ack(7, 3, 4, 0))
    pair.deliver(pair.at_visitor.said[0])
    assert pair.at_visitor.is_open
    pair.deliver(pair.at_visitor.said[1])
    assert not pair.at_visitor.is_open and pair.crowd.tally.left == 1
    assert pair.at_agent.said[-1].body == {"do": "close"}
