"""Gives waiting conversations to people. Owns the queue's order and what visitors hear of it.

Rule: first come, first served; to the agent who is online, accepts, and has the fewest open
conversations (ties: the one who got none for longest). Who was handed to a team waits for it while
somebody of it is there, and no longer than `team_wait_ms`; then everybody is asked. An agent who is
gone while a visitor waits loses the conversation to the queue.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from qingniao.bus.base import Attendance, Fanout, Gap, Moved, Presence, Published, Returned, Whisper
from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent, Move
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.chat.ports import MARKS_AT_ONCE, MessageLog, Role
from qingniao.clock import Clock
from qingniao.errors import Busy, StorageError
from qingniao.log import get_logger
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import State

__all__ = ["TEAM_WAIT_MS", "Agent", "AssignmentWorker", "choose", "choose_for"]

_log: Final = get_logger("workers")
_TICK_S: Final = 1.0
_ABSENT_MS: Final = 120_000
"""How long an agent may be gone (a reload, a tunnel) before waiting visitors are given away."""
TEAM_WAIT_MS: Final = 60_000
"""How long a team that is there and has no room is waited for."""
_GAPS: Final = 20
_TOLD: Final = 1_000
"""Visitors in the queue who are told their position; beyond it, nobody reads the number."""


class Agent(Struct, frozen=True, kw_only=True):
    """Somebody who can be given conversations."""

    id: int
    name: str
    accepting: bool = True
    capacity: int = 6
    teams: frozenset[int] = frozenset()
    """The numbers of those that this one belongs to."""


def choose(
    agents: Sequence[Agent], loads: Counter[int], idle_since: dict[int, int]
) -> Agent | None:
    """Who gets the next conversation; `None` when everybody is full. Pure."""
    free = [agent for agent in agents if agent.accepting and loads[agent.id] < agent.capacity]
    return min(
        free, key=lambda a: (loads[a.id] / a.capacity, idle_since.get(a.id, 0), a.id), default=None
    )


def choose_for(
    head: Head,
    agents: Sequence[Agent],
    loads: Counter[int],
    idle_since: dict[int, int],
    *,
    now_ms: int,
    team_wait_ms: int = TEAM_WAIT_MS,
) -> Agent | None:
    """Who gets this one: somebody of its team; of all, if it names none, if nobody of it is there
    and accepts, or if it has had its time. A team that is gone has nobody. Pure."""
    team = [agent for agent in agents if head.team and head.team in agent.teams]
    chosen = choose(team, loads, idle_since)
    is_over = now_ms - head.since >= team_wait_ms
    if chosen is None and (is_over or not any(agent.accepting for agent in team)):
        chosen = choose(agents, loads, idle_since)
    return chosen


class AssignmentWorker:
    """One per installation. Wakes on every change of hands and once a second."""

    def __init__(
        self,
        log: MessageLog,
        fanout: Fanout,
        presence: Presence,
        submit: Callable[[Intent], Awaitable[Decision]],
        agents: Callable[[], Awaitable[Sequence[Agent]]],
        assigned: Callable[[], Awaitable[dict[int, int]]],
        clock: Clock,
        *,
        team_wait_ms: int = TEAM_WAIT_MS,
    ) -> None:
        self._team_wait_ms = team_wait_ms
        self._message_log = log
        self._fanout = fanout
        self._presence = presence
        self._submit = submit
        self._agents = agents
        self._assigned = assigned
        self._clock = clock
        self._open: dict[int, int] = {}
        self._given: dict[int, int] = {}
        self._absent: dict[int, int] = {}
        self._gaps: deque[int] = deque(maxlen=_GAPS)
        self._last_given = 0
        self._told: dict[int, tuple[int, bool]] = {}
        self._moved: set[int] = set()
        self._missed = True
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Assign until cancelled."""
        stop = self._fanout.subscribe(self._hear)
        try:
            while True:
                try:
                    await self._look_around()
                    await self.tick()
                except (StorageError, Busy) as exc:
                    _log.warning("assignment_waits", reason=str(exc))
                try:
                    async with asyncio.timeout(_TICK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
        finally:
            stop()

    async def _look_around(self) -> None:
        """At the start, when the bus lost something, and always while it is away: any conversation
        may have moved, and who was closed unheard would count as a load for ever."""
        if not self._missed and self._fanout.is_whole:
            return
        # The list may be behind the log: what it has not seen yet is looked at there.
        listed = await self._assigned()
        self._moved |= {*listed, *self._open, *await self._all_marked(Role.INDEX)}
        self._missed = False

    def _hear(self, item: Published) -> None:
        if type(item) is Moved:
            self._moved.add(item.conversation)
            self._wake.set()
        elif type(item) is Gap:
            self._missed = True
            self._wake.set()
        elif type(item) is Attendance:
            self._wake.set()
        elif type(item) is Returned:
            self._told.pop(item.conversation, None)
            self._wake.set()

    async def tick(self) -> None:
        """Follow what changed hands, give out what waits, tell the queue."""
        moved, self._moved = self._moved, set()
        try:
            heads = await self._message_log.heads(moved)
        except StorageError:
            self._moved |= moved
            raise
        for head in heads.values():
            self._follow(head)
        waiting = await self._waiting()
        agents: Sequence[Agent] = ()
        if waiting or self._open:
            agents = await self._present_agents()
            await self._give_back(agents)
            waiting = await self._give_out(waiting, agents)
        self._tell(waiting, is_staffed=any(agent.accepting for agent in agents))

    def _follow(self, head: Head) -> None:
        if head.status is Status.OPEN:
            self._open[head.conversation] = head.assignee
        else:
            self._open.pop(head.conversation, None)

    async def _waiting(self) -> list[Head]:
        marked = await self._all_marked(Role.ASSIGNMENT)
        heads = (await self._message_log.heads(marked)).values()
        done = [(h.conversation, h.last) for h in heads if h.status is not Status.WAITING]
        if done:
            await self._message_log.clear(Role.ASSIGNMENT, done)
        still = [head for head in heads if head.status is Status.WAITING]
        return sorted(still, key=lambda head: (head.since, head.conversation))

    async def _all_marked(self, role: Role) -> list[int]:
        marked: list[int] = []
        while step := await self._message_log.marked(role, marked[-1] if marked else 0):
            marked += step
            if len(step) < MARKS_AT_ONCE:
                break
        return marked

    async def _present_agents(self) -> list[Agent]:
        agents = await self._agents()
        online = await self._presence.online([f"a:{agent.id}" for agent in agents])
        now = self._clock()
        present = []
        for agent in agents:
            if f"a:{agent.id}" in online:
                self._absent.pop(agent.id, None)
                present.append(agent)
            else:
                self._absent.setdefault(agent.id, now)
        return present

    async def _give_back(self, present: Sequence[Agent]) -> None:
        here = {agent.id for agent in present}
        now = self._clock()
        gone = [
            conversation
            for conversation, agent in self._open.items()
            if agent not in here and now - self._absent.setdefault(agent, now) >= _ABSENT_MS
        ]
        for head in (await self._message_log.heads(gone)).values():
            if head.status is Status.OPEN and head.sender == "v":
                move = Move(head.conversation, Event.REQUEUE, Why.AGENT_LEFT, session=head.session)
                await self._submit(move)

    async def _give_out(self, waiting: Sequence[Head], agents: Sequence[Agent]) -> list[Head]:
        loads = Counter(self._open.values())
        left: list[Head] = []
        # Teams without room need no second look: nobody's load becomes less in here.
        full: set[int] = set()
        for number, head in enumerate(waiting):
            if head.team in full and self._clock() - head.since < self._team_wait_ms:
                left.append(head)
                continue
            agent = choose_for(
                head, agents, loads, self._given,
                now_ms=self._clock(), team_wait_ms=self._team_wait_ms,
            )  # fmt: skip
            if agent is None:
                if choose(agents, loads, self._given) is None:
                    return [*left, *waiting[number:]]
                full.add(head.team)
                left.append(head)
                continue
            move = Move(
                head.conversation, Event.ASSIGN, Why.LEAST_BUSY, agent.id, agent.name, head.session
            )
            decision = await self._submit(move)
            if decision.code:
                continue  # somebody took it in this moment, or the visitor left
            now = self._clock()
            loads[agent.id] += 1
            self._open[head.conversation] = agent.id
            self._given[agent.id] = now
            if self._last_given:
                self._gaps.append(min(now - self._last_given, 3_600_000))
            self._last_given = now
        return left

    def _tell(self, waiting: Sequence[Head], *, is_staffed: bool) -> None:
        """Every waiting visitor hears their position, and whether anybody is there, on change."""
        gap_s = sum(self._gaps) / len(self._gaps) / 1000 if self._gaps else 0.0
        told: dict[int, tuple[int, bool]] = {}
        for ahead, head in enumerate(waiting[:_TOLD]):
            told[head.conversation] = place = (ahead, is_staffed)
            if self._told.get(head.conversation) != place:
                eta_s = round(gap_s * (ahead + 1)) if is_staffed else 0
                fields = {"queue": {"ahead": ahead, "eta_s": eta_s, "staffed": is_staffed}}
                frame = MSGPACK.encode(State(head.conversation, fields))
                self._fanout.publish(Whisper(head.conversation, frame, droppable=False))
        self._told = told
