"""Who gets a waiting conversation: fair, in turn, never two owners, and told where they stand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.bus.base import News, Published, Whisper
from qingniao.bus.memory import MemoryFanout, MemoryPresence, MemoryWorkQueue
from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent, Message, Move, Outcome, Wanted
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.chat.ports import Role
from qingniao.config import PipelineConfig
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import EntryType, State
from qingniao.storage.messages_rocksdb import RocksMessageLog
from qingniao.workers.assignment import Agent, AssignmentWorker, choose, choose_for


def agent(id: int, capacity: int = 6, *, accepting: bool = True) -> Agent:
    return Agent(id=id, name=f"客服{id}", capacity=capacity, accepting=accepting)


def test_least_busy_is_chosen() -> None:
    assert choose([agent(1), agent(2)], Counter({1: 2, 2: 1}), {}) == agent(2)


def test_among_equals_the_one_who_got_none_for_longest_is_chosen() -> None:
    assert choose([agent(1), agent(2)], Counter(), {1: 5, 2: 4}) == agent(2)
    assert choose([agent(1), agent(2)], Counter(), {1: 5}) == agent(2)


def test_busy_is_measured_by_capacity() -> None:
    assert choose([agent(1, 10), agent(2, 2)], Counter({1: 2, 2: 1}), {}) == agent(1, 10)


def test_nobody_is_given_more_than_they_can_hold_or_want() -> None:
    assert choose([agent(1, 2)], Counter({1: 2}), {}) is None
    assert choose([agent(1, accepting=False)], Counter(), {}) is None
    assert choose([], Counter(), {}) is None


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 60))
def test_loads_of_equal_agents_differ_by_at_most_one(
    people: int, capacity: int, arrivals: int
) -> None:
    agents = [agent(id, capacity) for id in range(1, people + 1)]
    loads: Counter[int] = Counter()
    given_at: dict[int, int] = {}
    for now in range(1, arrivals + 1):
        chosen = choose(agents, loads, given_at)
        assert (chosen is None) == (sum(loads.values()) == people * capacity)
        if chosen is not None:
            loads[chosen.id] += 1
            given_at[chosen.id] = now
        counts = [loads[one.id] for one in agents]
        assert max(counts) - min(counts) <= 1
        assert max(counts) <= capacity


class Office:
    """The worker over a real log; agents are online when `presence` says so."""

    def __init__(self, folder: Path) -> None:
        self.log = RocksMessageLog(folder)
        self.fanout, self.work = MemoryFanout(), MemoryWorkQueue()
        self.presence = MemoryPresence()
        self.now = 1_795_500_000_000
        self.staff: list[Agent] = []
        self.listed: dict[int, int] = {}
        self.told: list[tuple[int, Any]] = []
        self.pipeline = Pipeline(
            self.log, self.fanout, self.work, lambda: self.now, PipelineConfig()
        )
        self.worker = self.make_worker()
        self.fanout.subscribe(self._hear)

    def make_worker(self) -> AssignmentWorker:
        return AssignmentWorker(
            self.log, self.fanout, self.presence, self.submit, self._agents, self._assigned,
            lambda: self.now,
        )  # fmt: skip

    async def _agents(self) -> list[Agent]:
        return self.staff

    async def _assigned(self) -> dict[int, int]:
        return self.listed

    def _hear(self, item: Any) -> None:
        if isinstance(item, Whisper):
            frame = MSGPACK.down(item.frame)
            assert isinstance(frame, State)
            self.told.append((frame.conversation, frame.fields["queue"]))

    async def submit(self, intent: Intent) -> Decision:
        return await self.pipeline.submit(intent)

    def comes(self, *ids: int, capacity: int = 6) -> None:
        for id in ids:
            self.presence.enter(f"a:{id}")
            self.staff.append(agent(id, capacity))

    async def waits(self, *conversations: int, team: int = 0) -> None:
        for conversation in conversations:
            self.now += 1_000
            owner = f"visitor-{conversation}"
            n = await self.log.sent(conversation, "v/d") + 1
            await self.submit(
                Message(conversation, "v", "d", n, EntryType.TEXT, "找人", visitor=owner)
            )
            if team:
                head = await self.log.head(conversation)
                assert head is not None
                wanted = Wanted(team, "售后组")
                await self.submit(
                    Outcome(
                        conversation, head.session, head.asked, event=Event.HANDOFF,
                        why=Why.ASKED, team=wanted,
                    )
                )  # fmt: skip
            else:
                await self.submit(Move(conversation, Event.HANDOFF, Why.ASKED))

    async def says(self, conversation: int, body: str = "还在吗") -> None:
        n = await self.log.sent(conversation, "v/d") + 1
        owner = f"visitor-{conversation}"
        await self.submit(Message(conversation, "v", "d", n, EntryType.TEXT, body, visitor=owner))

    async def owners(self) -> dict[int, int]:
        heads = await self.log.heads(range(1, 60))
        return {id: head.assignee for id, head in heads.items() if head.status is Status.OPEN}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path / "log")
    intake = asyncio.create_task(office.pipeline.run())
    stop = office.fanout.subscribe(office.worker._hear)
    yield office
    stop()
    intake.cancel()
    await asyncio.gather(intake, return_exceptions=True)
    await office.log.close()


async def test_conversations_are_spread_evenly(office: Office) -> None:
    office.comes(1, 2, 3)
    await office.waits(*range(1, 9))
    await office.worker.tick()
    loads = Counter((await office.owners()).values())
    assert sum(loads.values()) == 8
    assert max(loads.values()) - min(loads.values()) <= 1


async def test_first_come_is_first_served(office: Office) -> None:
    await office.waits(5, 2, 9)
    office.comes(1, capacity=1)
    await office.worker.tick()
    assert await office.owners() == {5: 1}
    await office.submit(Move(5, Event.CLOSE, Why.CLOSED))
    await office.worker.tick()
    assert await office.owners() == {2: 1}


async def test_nobody_online_leaves_them_waiting(office: Office) -> None:
    office.staff = [agent(1)]
    await office.waits(1)
    await office.worker.tick()
    assert await office.owners() == {}
    assert await office.log.marked(Role.ASSIGNMENT) == [1]


async def test_each_has_one_owner_even_if_two_workers_run(office: Office) -> None:
    office.comes(1, 2, 3)
    await office.waits(*range(1, 7))
    heard: list[News] = []
    office.fanout.subscribe(lambda item: heard.append(item) if isinstance(item, News) else None)
    await asyncio.gather(office.worker.tick(), office.make_worker().tick())
    given = Counter(news.conversation for news in heard if news.moved)
    assert given == dict.fromkeys(range(1, 7), 1)
    assert len(await office.owners()) == 6


async def test_visitor_who_was_taken_meanwhile_is_not_given_away(office: Office) -> None:
    office.comes(1)
    await office.waits(1, 2)
    await office.submit(Move(1, Event.TAKE, Why.TOOK, 9, "客服9"))
    await office.worker.tick()
    assert await office.owners() == {1: 9, 2: 1}
    await office.worker.tick()
    assert await office.log.marked(Role.ASSIGNMENT) == []


async def test_taking_by_hand_counts_as_load(office: Office) -> None:
    office.comes(1, 2)
    await office.waits(1, 2, 3)
    for conversation in (1, 2):
        await office.submit(Move(conversation, Event.TAKE, Why.TOOK, 1, "客服1"))
    await office.worker.tick()
    assert (await office.owners())[3] == 2


async def test_absent_agent_loses_who_waits_and_keeps_the_rest(office: Office) -> None:
    office.comes(1)
    await office.waits(1, 2)
    await office.worker.tick()
    await office.submit(Message(1, "a1", "d", 1, EntryType.TEXT, "请稍等", agent=1, name="客服1"))
    office.presence.leave("a:1")
    await office.worker.tick()
    office.now += 119_000
    await office.worker.tick()
    assert await office.owners() == {1: 1, 2: 1}, "a reload is not an absence"
    office.now += 2_000
    await office.worker.tick()
    assert await office.owners() == {1: 1}, "1 was answered last, 2 waits for somebody"
    office.comes(3)
    await office.worker.tick()
    assert await office.owners() == {1: 1, 2: 3}
    await office.says(1)
    await office.worker.tick()
    await office.worker.tick()
    assert await office.owners() == {1: 3, 2: 3}


async def test_agent_who_comes_back_in_time_keeps_everything(office: Office) -> None:
    office.comes(1)
    await office.waits(1)
    await office.worker.tick()
    office.presence.leave("a:1")
    await office.worker.tick()
    office.now += 100_000
    office.presence.enter("a:1")
    await office.worker.tick()
    office.presence.leave("a:1")
    office.now += 100_000
    await office.worker.tick()
    assert await office.owners() == {1: 1}


async def test_visitors_in_the_queue_hear_their_position_when_it_changes(office: Office) -> None:
    await office.waits(1, 2, 3)
    await office.worker.tick()
    assert [(c, queue["ahead"]) for c, queue in office.told] == [(1, 0), (2, 1), (3, 2)]
    await office.worker.tick()
    assert len(office.told) == 3, "nothing changed"
    office.told.clear()
    office.comes(1, capacity=1)
    await office.worker.tick()
    assert [(c, queue["ahead"]) for c, queue in office.told] == [(2, 0), (3, 1)]
    assert all(queue["eta_s"] >= 0 for _, queue in office.told)


async def test_expected_wait_follows_the_pace_of_giving(office: Office) -> None:
    office.comes(1, capacity=3)
    for conversation in (1, 2, 3):
        await office.waits(conversation)
        office.now += 29_000
        await office.worker.tick()
    await office.waits(4, 5)
    office.told.clear()
    await office.worker.tick()
    assert [(c, queue["ahead"], queue["eta_s"]) for c, queue in office.told] == [
        (4, 0, 30), (5, 1, 60),
    ]  # fmt: skip


async def test_worker_that_starts_knows_who_has_what_even_if_the_list_is_behind(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.workers.assignment._TICK_S", 0.01)
    office.comes(1, 2, capacity=2)
    await office.waits(1, 2, 3)
    for conversation in (1, 2):
        await office.submit(Move(conversation, Event.ASSIGN, Why.RULE, 1, "客服1"))
    await office.submit(Move(3, Event.ASSIGN, Why.RULE, 2, "客服2"))
    await office.submit(Move(3, Event.CLOSE, Why.CLOSED))
    office.listed = {3: 2}  # what the list knew before it fell behind
    task = asyncio.create_task(office.make_worker().run())
    await office.waits(4, 5)
    async with asyncio.timeout(5):
        while len(await office.owners()) < 4:
            await asyncio.sleep(0.005)
    assert await office.owners() == {1: 1, 2: 1, 4: 2, 5: 2}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_full_intake_only_delays(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingniao.workers.assignment._TICK_S", 0.01)
    office.comes(1)
    await office.waits(1)
    offer, refusals = office.pipeline.offer, iter([True, True])
    monkeypatch.setattr(
        office.pipeline, "offer", lambda *given: not next(refusals, False) and offer(*given)
    )
    task = asyncio.create_task(office.worker.run())
    async with asyncio.timeout(10):
        while await office.log.marked(Role.ASSIGNMENT):
            await asyncio.sleep(0.002)
    assert await office.owners() == {1: 1}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class AwayFanout(MemoryFanout):
    """Nothing comes over it, and it says so."""

    @property
    def is_whole(self) -> bool:
        return False

    def publish(self, item: Published) -> None:
        pass


async def test_while_the_bus_is_away_who_was_closed_is_no_load(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.workers.assignment._TICK_S", 0.01)
    office.comes(1, capacity=1)
    office.fanout = AwayFanout()
    worker = asyncio.create_task(office.make_worker().run())
    async with asyncio.timeout(5):
        await office.waits(5)
        while await office.owners() != {5: 1}:
            await asyncio.sleep(0.01)
        await office.submit(Move(5, Event.CLOSE, Why.CLOSED))
        await office.waits(2)
        while await office.owners() != {2: 1}:
            await asyncio.sleep(0.01)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


def wanting(team: int, *, since: int = 0) -> Head:
    return Head(1, "v", status=Status.WAITING, team=team, since=since)


def of(id: int, *teams: int, capacity: int = 6, accepting: bool = True) -> Agent:
    return Agent(
        id=id, name=f"客服{id}", capacity=capacity, accepting=accepting, teams=frozenset(teams)
    )


def gets(head: Head, *agents: Agent, loads: dict[int, int] | None = None, now: int = 0) -> int:
    chosen = choose_for(head, agents, Counter(loads or {}), {}, now_ms=now, team_wait_ms=60_000)
    return chosen.id if chosen else 0


def test_somebody_of_the_wanted_team_is_chosen_though_busier() -> None:
    assert gets(wanting(7), of(1), of(2, 7), of(3, 8), loads={2: 5}) == 2


def test_team_without_anybody_there_is_not_waited_for() -> None:
    assert gets(wanting(7), of(1), of(2, 8)) == 1
    assert gets(wanting(7), of(1), of(2, 7, accepting=False)) == 1


def test_full_team_is_waited_for_and_no_longer_than_its_time() -> None:
    full = {"loads": {2: 6}}
    assert gets(wanting(7), of(1), of(2, 7), now=59_999, **full) == 0  # type: ignore[arg-type]
    assert gets(wanting(7), of(1), of(2, 7), now=60_000, **full) == 1  # type: ignore[arg-type]
    assert gets(wanting(7), of(1), of(2, 7), now=60_000) == 2


def test_who_wants_no_team_gets_anybody() -> None:
    assert gets(wanting(0), of(1), of(2, 7), loads={1: 1}) == 2


async def test_who_waits_for_a_team_holds_nobody_up(office: Office) -> None:
    office.presence.enter("a:1")
    office.presence.enter("a:2")
    office.staff = [of(1, 7, capacity=1), of(2, capacity=6)]
    await office.waits(1, team=7)
    await office.waits(2, team=7)
    await office.waits(3)
    await office.worker.tick()
    assert await office.owners() == {1: 1, 3: 2}, "2 waits for the team, 3 does not wait for 2"
    office.now += 61_000
    await office.worker.tick()
    assert await office.owners() == {1: 1, 2: 2, 3: 2}


async def test_team_that_was_deleted_meanwhile_is_everybody(office: Office) -> None:
    office.presence.enter("a:1")
    office.presence.enter("a:2")
    office.staff = [of(1, 7, capacity=1), of(2)]
    await office.waits(1, 2, team=7)
    await office.worker.tick()
    assert await office.owners() == {1: 1}
    office.staff = [of(1, capacity=1), of(2)]
    await office.worker.tick()
    assert await office.owners() == {1: 1, 2: 2}


async def test_conversation_of_an_agent_who_left_goes_to_the_team_again(office: Office) -> None:
    for id in (1, 2, 3):
        office.presence.enter(f"a:{id}")
    office.staff = [of(1, 7), of(2), of(3)]
    await office.waits(1, team=7)
    await office.worker.tick()
    assert await office.owners() == {1: 1}
    await office.says(1)
    office.presence.leave("a:1")
    office.staff = [of(1, 7), of(2), of(3, 7)]
    for _ in range(3):
        await office.worker.tick()
        office.now += 121_000
    await office.worker.tick()
    assert await office.owners() == {1: 3}
