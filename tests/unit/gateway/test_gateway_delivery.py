"""Messages through real sockets: once, in order, to those who may see them, also after a drop."""

from typing import Any

import pytest
from gateway_house import JSON, GatewayHouse, LosingFanout, Raw, until

from qingniao.bus.base import News, SignOut, Whisper
from qingniao.chat.intake import Outcome
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Ack,
    Delta,
    Entry,
    EntryType,
    Error,
    Follow,
    History,
    Page,
    Ping,
    Pong,
    Read,
    Send,
    State,
    Typing,
    Unfollow,
)


async def say(raw: Raw, n: int, body: Any = "", *, kind: int = EntryType.TEXT) -> None:
    """Send the n-th message to conversation 7."""
    await raw.say(Send(7, n, kind, body or f"第{n}句"))


async def said(raw: Raw, n: int, body: Any = "", *, kind: int = EntryType.TEXT) -> Ack:
    """The same, and wait until it is stored."""
    await say(raw, n, body, kind=kind)
    ack = await raw.next(Ack, lambda ack: ack.n >= n)
    assert isinstance(ack, Ack)
    return ack


def entries(frames: list[Any]) -> list[Entry]:
    return [frame for frame in frames if isinstance(frame, Entry)]


async def following(house: GatewayHouse, who: str = "a:3", after: int = 0, **more: Any) -> Raw:
    """An agent who follows conversation 7 (which must exist)."""
    agent = await house.greet(who, **more)
    await agent.say(Follow(7, after))
    await agent.next(State, lambda state: "from" in state.fields)
    return agent


async def test_sender_gets_the_ack_and_the_others_get_the_entry(house: GatewayHouse) -> None:
    visitor, other = await house.greet("v:7"), await house.greet("v:7", device="other")
    ack = await said(visitor, 1, "在吗")
    assert (ack.n, ack.seq) == (1, 1)
    entry = await other.next(Entry)
    assert (entry.seq, entry.sender, entry.body) == (1, "v", "在吗")
    assert entries(await visitor.settled()) == []


async def test_both_sides_see_one_order(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    for n in range(1, 21):
        await say(visitor, n + 1)
        await say(agent, n)
    await visitor.next(Ack, lambda ack: ack.n == 21)
    await agent.next(Ack, lambda ack: ack.n == 20)
    log = [entry.seq for entry in await house.log.entries(7, 0, 100)]
    for side in (visitor, agent):
        await side.settled()
        held = [f.seq for f in side.got if isinstance(f, Entry | Ack)]
        assert held == sorted(held)
        assert set(held) == set(log)


async def test_pipelined_messages_are_acked_in_order(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    for n in range(1, 31):
        await say(visitor, n)
    acks = [await visitor.next(Ack) for _ in range(30)]
    assert [(ack.n, ack.seq) for ack in acks] == [(n, n) for n in range(1, 31)]
    assert all(ack.at >= 0 for ack in acks)


async def test_repeat_is_acked_again_and_told_to_nobody(house: GatewayHouse) -> None:
    visitor, other = await house.greet("v:7"), await house.greet("v:7", device="other")
    await said(visitor, 1)
    await visitor.say(Send(7, 1, EntryType.TEXT, "第1句"))
    assert (await visitor.next(Ack)).seq == 1
    assert len(entries(await other.settled())) == 1
    assert len(await house.log.entries(7, 0, 10)) == 1


async def test_hole_is_refused_with_what_is_expected(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await say(visitor, 3)
    error = await visitor.next(Error)
    assert (error.n, error.code, error.temporary, error.expected) == (3, Code.HOLE, False, 1)


async def test_refusals_behind_a_refusal_say_nothing_about_the_content(
    house: GatewayHouse,
) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    await say(visitor, 2, {"do": "take"}, kind=EntryType.ACTION)
    assert (await visitor.next(Error)).code == Code.NOT_ALLOWED
    await say(visitor, 3, " ")
    error = await visitor.next(Error)
    assert (error.code, error.expected) == (Code.HOLE, 2)
    assert (await said(visitor, 2, "照常")).seq == 2


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_visitor_sees_that_something_was_hidden_but_not_what(
    house: GatewayHouse, codec: Any
) -> None:
    visitor = await house.greet("v:7", codec=codec)
    await said(visitor, 1)
    agent = await following(house)
    await said(agent, 1, "难缠", kind=EntryType.NOTE)
    await visitor.next(Entry)
    await house.pipeline.submit(
        Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),), trace=({"why": "难缠"},))
    )
    await said(agent, 2, {"do": "take"}, kind=EntryType.ACTION)
    await visitor.next(Entry, lambda entry: entry.type == EntryType.STATUS)
    again = await house.greet("v:7", device="again", codec=codec)
    await again.say(History(7, 100))
    page = await again.next(Page)
    for seen in (entries(visitor.got), entries(again.got), page.entries):
        kinds = {entry.seq: entry.type for entry in seen if entry.seq > 1}
        assert kinds == {2: EntryType.HIDDEN, 3: EntryType.HIDDEN, 4: EntryType.ANSWER,
                         5: EntryType.STATUS}  # fmt: skip
        assert "难缠" not in repr(seen)
        assert all("why" not in entry.body for entry in seen if entry.type == EntryType.STATUS)
    colleague = await following(house, "a:4")
    assert "难缠" in repr(await colleague.settled())


async def test_visitor_cannot_follow_others_or_the_inbox(house: GatewayHouse) -> None:
    stranger = await house.greet("v:8")
    await said(await house.greet("v:7"), 1)
    for frame in (Follow(7), Follow(0), History(7, 100), Typing(7, on=True), Read(7, 1)):
        await stranger.say(frame)
        assert (await stranger.next(Error)).code == Code.NOT_YOURS
    await stranger.say(Send(7, 1, EntryType.TEXT, "冒充"))
    assert (await stranger.next(Error)).code == Code.NOT_YOURS
    assert len(await house.log.entries(7, 0, 10)) == 1


async def test_agent_cannot_follow_what_does_not_exist(house: GatewayHouse) -> None:
    agent = await house.greet("a:3")
    await agent.say(Follow(404))
    error = await agent.next(Error)
    assert (error.conversation, error.code) == (404, Code.NOT_YOURS)


async def test_following_replays_from_the_cursor_on(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    for n in range(1, 11):
        await said(visitor, n)
    agent = await following(house, after=6)
    assert [e.seq for e in entries(await agent.settled())] == [7, 8, 9, 10]
    later = await house.greet("a:4", cursors=[(7, 8)])
    ((_, fields),) = later.welcome.conversations
    assert fields["from"] == 9
    assert [e.seq for e in entries(await later.settled())] == [9, 10]


async def test_too_much_to_replay_begins_later_and_says_so(build_house: Any) -> None:
    house = await build_house(wire={"replay": 5})
    visitor = await house.greet("v:7")
    for n in range(1, 21):
        await say(visitor, n)
    await visitor.next(Ack, lambda ack: ack.n == 20)
    agent = await house.greet("a:3")
    await agent.say(Follow(7, 2))
    assert (await agent.next(State)).fields["from"] == 16
    assert [e.seq for e in entries(await agent.settled())] == [16, 17, 18, 19, 20]
    await agent.say(History(7, 16, 13))
    page = await agent.next(Page)
    assert [e.seq for e in page.entries] == list(range(3, 16))
    assert page.more


async def test_history_pages_back_to_the_beginning(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    for n in range(1, 26):
        await say(visitor, n)
    await visitor.next(Ack, lambda ack: ack.n == 25)
    seen: list[int] = []
    before, more = 26, True
    while more:
        await visitor.say(History(7, before, 10))
        page = await visitor.next(Page)
        seen = [e.seq for e in page.entries] + seen
        before, more = page.entries[0].seq, page.more
    assert seen == list(range(1, 26))


@pytest.mark.parametrize(
    ("before", "limit", "seqs"),
    [(0, 10, []), (1, 10, []), (-5, 10, []), (2, 10, [1]), (2**63, 10, [1, 2, 3]),
     (10, 0, [3]), (10, -1, [3]), (4, 2**40, [1, 2, 3])],
)  # fmt: skip
async def test_history_with_odd_numbers_answers_a_page(
    house: GatewayHouse, before: int, limit: int, seqs: list[int]
) -> None:
    visitor = await house.greet("v:7")
    for n in range(1, 4):
        await said(visitor, n)
    await visitor.say(History(7, before, limit))
    assert [e.seq for e in (await visitor.next(Page)).entries] == seqs


async def test_following_with_odd_numbers_is_answered(house: GatewayHouse) -> None:
    await said(await house.greet("v:7"), 1)
    agent = await house.greet("a:3", codec=JSON)
    for after in (-1, 2**63, 10**30):
        await agent.say(Follow(7, after))
        assert (await agent.next(State)).fields["last"] == 1


async def test_unfollowed_conversation_is_silent(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    await agent.settled()
    await agent.say(Unfollow(7))
    await agent.settled()
    await said(visitor, 2)
    assert await agent.settled() == []
    assert 7 in house.hub.following.followers, "the visitor still follows"


async def test_both_sides_resume_after_a_drop_without_loss_or_repeat(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    await agent.next(Entry)
    for side in (visitor, agent):
        side.socket.transport.abort()
    await until(lambda: not house.hub.connections)
    third = await house.greet("v:7", device="third", cursors=[(7, 1)])
    await said(third, 1, "期间")
    back = await house.greet("v:7", cursors=[(7, 1)])
    agent_back = await house.greet("a:3", cursors=[(7, 1)])
    for side in (back, agent_back):
        assert [e.seq for e in entries(await side.settled())] == [2]
    assert dict(back.welcome.conversations)[7]["n"] == 1
    await said(back, 2)
    assert (await agent_back.next(Entry)).seq == 3


async def test_entry_whose_ack_went_to_a_dead_connection_is_told_to_the_new_one(
    house: GatewayHouse,
) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    await house.stop_intake()
    await say(visitor, 2)
    await until(lambda: house.pipeline.depth == 1)
    visitor.socket.transport.abort()
    back = await house.greet("v:7", cursors=[(7, 1)])
    house.resume_intake()
    assert (await back.next(Entry)).seq == 2


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_what_the_fanout_lost_is_read_from_the_log(build_house: Any, codec: Any) -> None:
    fanout = LosingFanout()
    house = await build_house(fanout=fanout)
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house, codec=codec)
    await agent.next(Entry)
    fanout.loses = lambda item: isinstance(item, News)
    for n in range(2, 12):
        await said(visitor, n)
    assert entries(await agent.settled()) == []
    fanout.loses = lambda _: False
    await said(visitor, 12)
    for seq in range(2, 13):
        assert (await agent.next(Entry)).seq == seq
    assert house.hub.following.repaired == 2, "the visitor's side noticed as well"
    assert entries(await agent.settled()) == []


async def test_change_of_hands_that_the_fanout_lost_is_told_with_the_next_news(
    build_house: Any,
) -> None:
    fanout = LosingFanout()
    house = await build_house(fanout=fanout)
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    fanout.loses = lambda item: isinstance(item, News)
    await said(visitor, 2, {"do": "handoff"}, kind=EntryType.ACTION)
    fanout.loses = lambda _: False
    await said(visitor, 3)
    state = await agent.next(State, lambda state: "status" in state.fields)
    assert (state.fields["status"], state.fields["last"]) == ("waiting", 3)


async def test_news_told_twice_is_passed_on_once(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    heard: list[Any] = []
    house.fanout.subscribe(heard.append)
    await said(visitor, 2)
    for item in list(heard):
        house.fanout.publish(item)
    assert [e.seq for e in entries(await agent.settled())] == [1, 2]


async def test_pong_counts_the_entries_sent(house: GatewayHouse) -> None:
    visitor, other = await house.greet("v:7"), await house.greet("v:7", device="other")
    for n in range(1, 6):
        await said(visitor, n)
    await other.say(Ping(9))
    assert await other.next(Pong) == Pong(9, 5)
    await visitor.say(Ping(9))
    assert await visitor.next(Pong) == Pong(9, 0)


async def test_typing_is_heard_by_the_other_side_only(house: GatewayHouse) -> None:
    visitor, tab = await house.greet("v:7"), await house.greet("v:7", device="tab")
    await said(visitor, 1)
    agent = await following(house)
    await visitor.say(Typing(7, on=True, preview="我想退" + "长" * 600, sender="a9"))
    heard = await agent.next(Typing)
    assert (heard.on, heard.sender) == (True, "v")
    assert heard.preview.startswith("我想退")
    assert len(heard.preview) == 500
    await agent.say(Typing(7, on=True, preview="内部草稿"))
    assert await visitor.next(Typing) == Typing(7, True, "", "a3")
    assert [f for f in await tab.settled() if isinstance(f, Typing)] == [Typing(7, True, "", "a3")]


async def test_deltas_and_whispers_reach_both_encodings(house: GatewayHouse) -> None:
    visitor, json = await house.greet("v:7"), await house.greet("v:7", device="j", codec=JSON)
    delta = Delta(7, 3, 0, "可以")
    house.fanout.publish(Whisper(7, MSGPACK.encode(delta)))
    assert await visitor.next(Delta) == await json.next(Delta) == delta
    house.fanout.publish(Whisper(7, MSGPACK.encode(delta), "agents"))
    assert await visitor.settled() == []


async def test_read_marks_are_told_to_both_sides(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    await agent.say(Read(7, 1))
    state = await visitor.next(State)
    assert state.fields == {"read": {"v": 0, "a": 1}}
    for seq in (1, 0, -1):
        await agent.say(Read(7, seq))
    assert [f for f in await visitor.settled() if isinstance(f, State)] == []


async def test_change_of_hands_is_told_to_each_side_as_it_may_see_it(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    await said(visitor, 2, {"do": "handoff"}, kind=EntryType.ACTION)
    theirs = await visitor.next(State, lambda s: s.fields.get("status") == "waiting")
    ours = await agent.next(State, lambda s: s.fields.get("status") == "waiting")
    assert "why" not in theirs.fields
    assert (ours.fields["why"], ours.fields["online"]) == ("asked", True)


async def test_visitor_coming_and_going_is_told_to_agents(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await said(visitor, 1)
    agent = await following(house)
    tab = await house.greet("v:7", device="tab")
    await visitor.close()
    await tab.settled()
    assert not [f for f in await agent.settled() if isinstance(f, State) and "online" in f.fields]
    await tab.close()
    assert (await agent.next(State)).fields == {"online": False}
    await house.greet("v:7")
    assert (await agent.next(State)).fields == {"online": True}


async def test_signing_out_closes_every_connection_of_the_session(house: GatewayHouse) -> None:
    first, second = await house.greet("a:3"), await house.greet("a:3", device="d2")
    other = await house.greet("a:4")
    house.fanout.publish(SignOut("session-3"))
    assert await first.closed() == await second.closed() == Close.SIGNED_OUT
    assert await other.settled() == []


async def test_agent_who_answers_hears_of_taking_it_and_gets_one_ack(house: GatewayHouse) -> None:
    await said(await house.greet("v:7"), 1)
    agent = await following(house)
    ack = await said(agent, 1, "我来")
    assert (ack.n, ack.seq) == (1, 3)
    assert [e.seq for e in entries(agent.got)] == [1, 2]
