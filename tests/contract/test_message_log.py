"""The message log's promises: order, once, on disk, and a head that is never ahead of the disk.

One suite; the engines are parameters of `logs`.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from message_logs import NOW, Logs, PostgresLogs, RocksLogs, action, folded, read_on, said, text

from qingniao.chat.head import DEVICES_KEPT
from qingniao.chat.intake import Decision, Message, Move, Outcome, Rename, Reported
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.chat.ports import MessageLog, Role
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import EntryType


@pytest.fixture(params=["rocksdb", "postgres"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Logs:
    if request.param == "postgres":
        return PostgresLogs(request.getfixturevalue("postgres_url"))
    return RocksLogs(tmp_path / "log")


@pytest.fixture
async def log(logs: Logs) -> AsyncIterator[MessageLog]:
    async with logs.open() as log:
        yield log


async def test_entries_get_consecutive_seqs_in_the_order_of_intents(log: MessageLog) -> None:
    decisions = await log.commit([text(n, f"第{n}句") for n in range(1, 6)], NOW)
    assert [(d.n, d.seq) for d in decisions] == [(n, n) for n in range(1, 6)]
    entries = await log.entries(7, 0, 10)
    assert [(e.seq, e.body, e.time) for e in entries] == [(n, f"第{n}句", NOW) for n in range(1, 6)]


async def test_stored_frames_are_what_the_decision_carries(log: MessageLog) -> None:
    decisions = await log.commit([text(1), action(2, "handoff")], NOW)
    assert await log.read(7, 0, 10) == [frame for d in decisions for frame in d.frames]


async def test_conversations_are_apart(log: MessageLog) -> None:
    await log.commit([text(1, "a"), text(1, "b", conversation=8), text(2, "c")], NOW)
    await log.commit([text(1, "大", conversation=2**53 - 1), text(1, "小", conversation=1)], NOW)
    assert await said(log, 7) == ["a", "c"]
    assert await said(log, 8) == ["b"]
    assert await said(log, 2**53 - 1) == ["大"]
    assert await said(log, 1) == ["小"]


async def test_read_starts_after_and_stops_at_the_limit(log: MessageLog) -> None:
    await log.commit([text(n) for n in range(1, 301)], NOW)
    assert [e.seq for e in await log.entries(7, 255, 3)] == [256, 257, 258]
    assert await log.entries(7, 300, 3) == []
    assert await log.entries(7, 0, 0) == []
    assert len(await log.read(7, 0, 1_000)) == 300


async def test_repeat_is_acked_again_and_not_stored_again(log: MessageLog) -> None:
    await log.commit([text(1), text(2)], NOW)
    (again,) = await log.commit([text(2, "又一次")], NOW)
    assert (again.repeat, again.n, again.seq, again.entries) == (True, 2, 2, [])
    (both,) = await log.commit([text(1)], NOW)
    assert (both.repeat, both.n) == (True, 2)
    assert await said(log) == ["在吗", "在吗"]


async def test_repeat_within_one_batch_is_stored_once(log: MessageLog) -> None:
    first, second = await log.commit([text(1), text(1)], NOW)
    assert (first.repeat, second.repeat) == (False, True)
    assert await said(log) == ["在吗"]


async def test_hole_is_refused_with_what_is_expected(log: MessageLog) -> None:
    await log.commit([text(1)], NOW)
    (decision,) = await log.commit([text(3)], NOW)
    assert (decision.code, decision.expected, decision.entries) == (Code.HOLE, 2, [])


async def test_nobody_but_the_visitor_begins_a_conversation(log: MessageLog) -> None:
    stranger = Message(9, "a3", "d", 1, EntryType.TEXT, "在", agent=3, name="周宁")
    move = Move(9, Event.CLOSE, Why.CLOSED)
    for decision in await log.commit([stranger, move, Rename(9, "张"), Outcome(9, 1, 1)], NOW):
        assert decision.code == Code.NOT_YOURS
    assert await log.head(9) is None
    assert await log.heads([9]) == {}
    assert await log.marked(Role.INDEX) == []


async def test_refused_first_message_leaves_no_conversation(log: MessageLog) -> None:
    (decision,) = await log.commit([text(2)], NOW)
    assert decision.code == Code.HOLE
    assert await log.head(7) is None


async def test_head_is_the_fold_of_the_entries(logs: Logs, log: MessageLog) -> None:
    await log.commit([text(1), action(2, "handoff"), action(1, "take", agent=3)], NOW)
    head = await log.head(7)
    assert head is not None
    assert head == folded(await logs.records(log, 7))
    assert (head.status, head.assignee, head.last) == (Status.OPEN, 3, 3)


async def test_intent_that_cannot_be_stored_leaves_nothing_half_done(log: MessageLog) -> None:
    await log.commit([text(1, "先")], NOW)
    poison = Message(7, "v", "d1", 3, EntryType.FILE, {"size": 10**30}, visitor="visitor-7")
    with pytest.raises(OverflowError):
        await log.commit([text(2, "好"), poison], NOW)
    (decision,) = await log.commit([text(2, "后")], NOW)
    assert decision.seq == 2
    assert await said(log) == ["先", "后"]


async def test_cancelled_commit_is_whole_or_nothing(logs: Logs, log: MessageLog) -> None:
    for n in range(1, 30):
        committing = asyncio.create_task(log.commit([text(n, f"{n}"), text(n + 1, "另")], NOW))
        await asyncio.sleep(0)
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        head = await log.head(7)
        assert (head.last if head else 0) == len(await log.entries(7, 0, 1_000))
        await log.commit([text(n, f"{n}")], NOW)
        assert await log.head(7) == folded(await logs.records(log, 7))


async def test_what_was_committed_is_there_after_a_kill(logs: Logs) -> None:
    async with logs.open() as log:
        for n in range(1, 41):
            await log.commit([text(n, f"第{n}句")], NOW)
        await log.commit([action(41, "handoff")], NOW)
        await log.commit([text(42)], NOW)
        head = await log.head(7)
        killed = await logs.killed()
    async with killed.open() as log:
        assert await log.head(7) == head == folded(await killed.records(log, 7))
        assert await said(log) == [f"第{n}句" for n in range(1, 41)] + ["在吗"]
        (again,) = await log.commit([text(42)], NOW)
        assert again.repeat
        assert await log.marked(Role.INDEX) == await log.marked(Role.ASSIGNMENT) == [7]


async def test_marks_survive_until_they_are_cleared(logs: Logs) -> None:
    async with logs.open() as log:
        await log.commit([text(1), text(1, conversation=8), action(2, "handoff")], NOW)
        await log.clear(Role.INDEX, [(8, 1)])
        killed = await logs.killed()
        marks = {role: await log.marked(role) for role in Role}
    assert marks[Role.ASSIGNMENT] == marks[Role.INDEX] == [7]
    assert 8 in marks[Role.AI]
    async with logs.open() as log:
        assert {role: await log.marked(role) for role in Role} == marks
    async with killed.open() as log:
        for role in Role:  # a mark may come back, it may not be lost
            assert set(await log.marked(role)) >= set(marks[role])


async def test_marks_come_in_order_and_in_steps(log: MessageLog) -> None:
    await log.commit([text(1, conversation=c) for c in (9, 300, 4, 2**53 - 1, 70)], NOW)
    assert await log.marked(Role.INDEX) == [4, 9, 70, 300, 2**53 - 1]
    assert await log.marked(Role.INDEX, limit=2) == [4, 9]
    assert await log.marked(Role.AI, 9, 2) == [70, 300]
    assert await log.marked(Role.INDEX, 2**53 - 1) == []


async def test_outcome_ends_what_the_bot_owes(log: MessageLog) -> None:
    await log.commit([text(1)], NOW)
    assert await log.marked(Role.AI) == [7]
    await log.commit([Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),))], NOW)
    await log.clear(Role.AI, [(7, 3)])
    assert await log.marked(Role.AI) == []
    await log.commit([text(2)], NOW)
    assert await log.marked(Role.AI) == [7]


async def test_rating_of_an_answer_is_owed_until_it_is_reported_also_after_a_kill(
    logs: Logs,
) -> None:
    rated = Message(7, "v", "d1", 2, EntryType.RATING, {"score": 5, "of": 3}, visitor="visitor-7")
    async with logs.open() as log:
        await log.commit([text(1)], NOW)
        await log.commit([Outcome(7, 1, 1, ((EntryType.ANSWER, {"text": "在"}),))], NOW)
        await log.clear(Role.AI, [(7, 3)])
        await log.commit([rated], NOW)
        await log.clear(Role.AI, [(7, 4)])
        assert await log.marked(Role.AI) == [7]
        killed = await logs.killed()
    async with killed.open() as log:
        head = await log.head(7)
        assert head is not None
        assert (head.rated, await log.marked(Role.AI)) == ((4,), [7])
        await log.commit([Reported(7, 4, ({"kind": "rating", "port": "told"},))], NOW)
        await log.clear(Role.AI, [(7, 5)])
        assert await log.marked(Role.AI) == []


async def test_advanced_says_what_is_past_what_is_known(log: MessageLog) -> None:
    assert await log.advanced({}) == await log.advanced({7: 0}) == {}
    await log.commit([text(1), text(2), text(1, conversation=8)], NOW)
    assert await log.advanced({7: 1, 8: 1, 9: 0}) == {7: 2}
    assert await log.advanced({7: 0, 8: 0, 2**64 - 1: 0}) == {7: 2, 8: 1}
    assert await log.advanced({7: 2, 8: 5}) == {}


async def test_decision_carries_the_head_that_the_commit_leaves(log: MessageLog) -> None:
    first, repeat, second = await log.commit([text(1), text(1), action(2, "handoff")], NOW)
    head = await log.head(7)
    assert first.head == second.head == head
    assert repeat.head is None


async def test_clear_keeps_the_mark_of_what_is_newer(log: MessageLog) -> None:
    await log.commit([text(1)], NOW)
    await log.commit([text(2)], NOW)
    await log.clear(Role.INDEX, [(7, 1)])
    await log.clear(Role.AI, [(7, 2)])
    assert await log.marked(Role.INDEX) == [7]
    assert await log.marked(Role.AI) == [7], "nobody has answered"
    await log.clear(Role.INDEX, [(7, 2)])
    assert await log.marked(Role.INDEX) == []


async def test_read_marks_go_forward_only_and_not_past_the_end(log: MessageLog) -> None:
    assert await read_on(log, 7, agent=False, seq=1) is None
    await log.commit([text(n) for n in range(1, 6)], NOW)
    assert await read_on(log, 7, agent=False, seq=2) == (2, 0)
    assert await read_on(log, 7, agent=True, seq=10**40) == (2, 5)
    assert await read_on(log, 7, agent=True, seq=4) is None
    assert await read_on(log, 7, agent=False, seq=-3) is None
    assert await read_on(log, 7, agent=False, seq=2) is None


async def test_read_marks_survive_once_flushed(logs: Logs) -> None:
    async with logs.open() as log:
        await log.commit([text(1), text(2)], NOW)
        await read_on(log, 7, agent=True, seq=2)
        await log.flush_reads()
        await read_on(log, 7, agent=False, seq=1)
        await log.commit([text(3)], NOW)
        killed = await logs.killed()
    for left, read_visitor in ((killed, (0, 1)), (logs, (1,))):
        async with left.open() as log:
            head = await log.head(7)
            assert head is not None
            assert (head.last, head.read_agent) == (3, 2)
            assert head.read_visitor in read_visitor


async def test_name_of_the_visitor_survives(logs: Logs) -> None:
    async with logs.open() as log:
        await log.commit([text(1)], NOW)
        await log.commit([Rename(7, "张三")], NOW)
    async with logs.open() as log:
        head = await log.head(7)
        assert head is not None
        assert (head.visitor_name, head.last) == ("张三", 1)


async def test_letting_heads_go_never_changes_an_answer(logs: Logs, tmp_path: Path) -> None:
    async with logs.open(heads=3) as small, RocksLogs(tmp_path / "large").open() as large:
        for step in range(200):
            conversation, n = step * 7 % 11 + 1, step // 11 + 1
            intents = [text(n, f"{step}", conversation=conversation)]
            if step % 5 == 0:
                intents.append(action(1, "take", agent=3, conversation=conversation))
            answers: list[list[Decision]] = []
            for log in (small, large):
                answers.append(await log.commit(intents, NOW + step))
                await read_on(log, conversation, agent=step % 2 == 0, seq=step % 9)
                if step % 13 == 0:
                    await log.flush_reads()
            assert [(d.n, d.seq, d.code, d.frames) for d in answers[0]] == [
                (d.n, d.seq, d.code, d.frames) for d in answers[1]
            ]
        assert await small.heads(range(1, 12)) == await large.heads(range(1, 12))
        await small.flush_reads()
        await small.heads(range(1, 12))
        (kept,) = [value for _, name, _, value in small.readings() if name == "heads"]
        assert kept <= 3


async def test_device_that_many_others_followed_is_still_known(logs: Logs) -> None:
    # Its ack may have been lost: storing the message again would break "once".
    async with logs.open() as log:
        await log.commit([text(1, "一"), text(2, "二")], NOW)
        for number in range(DEVICES_KEPT + 5):
            await log.commit([text(1, "别人", device=f"other-{number}")], NOW)
        head = await log.head(7)
        assert head is not None
        assert len(head.devices) == DEVICES_KEPT
        assert "v/d1" not in head.devices
        killed = await logs.killed()
    async with killed.open() as log:
        assert await log.sent(7, "v/d1") == 2
        assert await log.sent(7, "v/nobody") == 0
        again, hole, next_one = await log.commit([text(2, "二"), text(9), text(3, "三")], NOW)
        assert (again.repeat, again.n, again.seq) == (True, 2, 2)
        assert (hole.code, hole.expected) == (Code.HOLE, 3)
        assert (next_one.code, next_one.n) == (0, 3)
        assert await said(log) == ["一", "二", *["别人"] * (DEVICES_KEPT + 5), "三"]
        head = await log.head(7)
        assert head is not None
        assert len(head.devices) == DEVICES_KEPT
        assert head == folded(await killed.records(log, 7))


async def test_device_let_go_and_back_within_one_batch_is_known(log: MessageLog) -> None:
    await log.commit([text(1, device=f"d{number}") for number in range(DEVICES_KEPT)], NOW)
    batch = [text(1, device="new"), text(1, device="d0"), text(2, "二", device="d0")]
    _, again, after = await log.commit(batch, NOW)
    assert (again.repeat, again.seq) == (True, 1)
    assert (after.code, after.seq) == (0, DEVICES_KEPT + 2)
    assert await log.sent(7, "v/d0") == 2
    assert await log.sent(7, "v/d1") == 1


async def test_conversations_that_no_number_can_be_are_unknown(log: MessageLog) -> None:
    for conversation in (0, 2**63, 2**64 - 1):
        stranger = Message(conversation, "a3", "d", 1, EntryType.TEXT, "在", agent=3, name="周宁")
        (decision,) = await log.commit([stranger], NOW)
        assert decision.code == Code.NOT_YOURS
        assert await log.head(conversation) is None
        assert await log.read(conversation, 0, 10) == []
        assert await log.sent(conversation, "v/d1") == 0
        assert await read_on(log, conversation, agent=True, seq=1) is None
        await log.clear(Role.INDEX, [(conversation, 1)])


async def test_positions_that_no_entry_can_have_find_nothing(log: MessageLog) -> None:
    await log.commit([text(1)], NOW)
    assert await log.read(7, 2**40, 10) == []
    assert await log.read(7, 2**64 - 1, 10) == []
    assert await log.advanced({7: 2**64 - 1}) == {}
