"""One role's work in this process: what waits here for takers, and what they have. Owns the entries
behind both until they are done.

Refuses to read streams; what was read is handed in (`grant`). Rule: an entry is acknowledged once
nobody here has its conversation and there is no news of it; what nobody here takes is given back.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from qingniao.bus.redis_link import BusAway, Word
from qingniao.bus.redis_streams import WorkStreams
from qingniao.log import get_logger

__all__ = ["RoleQueue"]

_log: Final = get_logger("bus")
_BUSY_ELSEWHERE_S: Final = 0.2


class RoleQueue:
    """One per role. Somebody has to read the streams for it: see `run`."""

    def __init__(self, streams: WorkStreams, role: str) -> None:
        self.streams = streams
        self.role = role
        self.ready: deque[int] = deque()
        self._known: set[int] = set()
        """What is in `ready`."""
        self._out: set[int] = set()
        """What somebody has taken and not done."""
        self.held: dict[int, list[tuple[int, bytes]]] = {}
        """Given out or ready, and not done: the entries behind it, by shard."""
        self._granting: Counter[int] = Counter()
        """What is being asked for: done meanwhile, it must not go to anybody else."""
        self._blocked: dict[int, list[tuple[int, bytes]]] = {}
        """Another process is at it."""
        self._takers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.demand = asyncio.Event()
        self.lengths = [0] * len(streams.shards)
        self.dead_lengths = [0] * len(streams.shards)
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, *readers: Coroutine[Any, Any, None]) -> None:
        """Begin, with those who read the streams."""
        loop = asyncio.get_running_loop()
        works = (*readers, self._keep(), self._look_again())
        self._tasks = [loop.create_task(work) for work in works]

    @property
    def depth(self) -> int:
        """How many wait, about."""
        return max(sum(self.lengths), len(self.ready))

    @property
    def dead(self) -> int:
        """How many were set aside."""
        return sum(self.dead_lengths)

    @property
    def wanted(self) -> int:
        """How many somebody waits for."""
        while self._takers and self._takers[0][1].done():
            self._takers.popleft()
        return sum(most for most, taker in self._takers if not taker.done())

    async def take(self, most: int) -> list[int]:
        """See `WorkQueue.take`."""
        while not self.ready:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append((most, taker))
            self.demand.set()
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake()
                raise
        taken = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        self._known.difference_update(taken)
        self._out.update(taken)
        for conversation in taken:
            self.held.setdefault(conversation, [])
        return taken

    def _wake(self) -> None:
        while self._takers:
            _, taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def add_own(self, conversation: int) -> bool:
        """Redis is away: it is ours. False if there is no room."""
        if conversation in self._known:
            return True
        if len(self.ready) >= self.streams.waiting:
            return False
        self._offer(conversation)
        return True

    def _offer(self, conversation: int) -> None:
        if conversation not in self._known:
            self._known.add(conversation)
            self.ready.append(conversation)
            self._wake()

    def _granted(self, shard: int, taken: Iterable[tuple[bytes, int, int]]) -> None:
        """Entries with their conversations and what the server said: 1 ours, 0 another is at it, 2
        set aside."""
        for entry, conversation, verdict in taken:
            if verdict == 2:
                self.streams.skipped += 1
                self.streams.acknowledge(self.role, shard, conversation, [entry])
                continue
            behind = (self.held if verdict else self._blocked).setdefault(conversation, [])
            if behind:  # one stands for all of its news until it is done
                self.streams.forget(self.role, shard, entry)
            else:
                behind.append((shard, entry))
            if verdict:
                self._offer(conversation)

    def done(self, conversation: int) -> None:
        """Acknowledge what was behind it and let others have it."""
        self._out.discard(conversation)
        if conversation in self._known or conversation in self._granting:
            return  # there is news already, and nobody else is to begin with it now
        by_shard: dict[int, list[bytes]] = {}
        for shard, entry in self.held.pop(conversation, ()):
            by_shard.setdefault(shard, []).append(entry)
        for shard, entries in by_shard.items():
            self.streams.acknowledge(self.role, shard, conversation, entries)

    def _give_back(self) -> None:
        """What was read for takers who are busy now: another process may be idle."""
        self._known.clear()
        while self.ready:
            conversation = self.ready.popleft()
            if conversation not in self._out:  # or its handler says when
                self.done(conversation)
            self._put_back(conversation)

    def _put_back(self, conversation: int) -> None:
        if not self.streams.put(self.role, conversation) and not self.add_own(conversation):
            self.streams.refused += 1  # its mark remains: a worker's sweeper finds it

    async def grant(self, shard: int, entries: list[tuple[bytes, int]]) -> None:
        """Ask for what was read. Raises `BusAway`: then they are claimed later."""
        conversations = list(dict.fromkeys(conversation for _, conversation in entries))
        self._granting.update(conversations)
        try:
            verdicts = await self.streams.verdicts(self.role, shard, conversations)
            self._granted(shard, [(entry, c, verdicts[c]) for entry, c in entries])
        finally:
            self._granting.subtract(conversations)
            self._granting += Counter()
            for conversation in conversations:
                if conversation in self.held and conversation not in self._out:
                    self.done(conversation)  # it became done meanwhile, unless there is news

    async def _look_again(self) -> None:
        """What another process was at may be ours now; what nobody here takes may be another's."""
        while True:
            waited = set(self.ready)
            await asyncio.sleep(_BUSY_ELSEWHERE_S * random.uniform(0.75, 1.25))  # noqa: S311
            if waited.intersection(self.ready) and self.streams.has_links:
                self._give_back()
            blocked, self._blocked = self._blocked, {}
            by_shard: dict[int, list[tuple[bytes, int]]] = {}
            for conversation, entries in blocked.items():
                for shard, entry in entries:
                    by_shard.setdefault(shard, []).append((entry, conversation))
            for shard, some in by_shard.items():
                try:
                    await self.grant(shard, some)
                except BusAway:
                    continue  # whoever takes over has them
                except asyncio.CancelledError:
                    self._blocked |= blocked  # for `close`
                    raise
                except Exception as exc:  # a reply that nobody expected: the looking goes on
                    _log.error("work_look_failed", exc=exc, role=self.role)

    async def _keep(self) -> None:
        """What is here does not look abandoned as long as this process lives."""
        while True:
            await asyncio.sleep(self.streams.claim_s / 3)
            by_shard: dict[int, list[Word]] = {}
            for conversation, entries in self.held.items():
                for shard, entry in entries:
                    by_shard.setdefault(shard, []).extend((conversation, entry))
            for shard, pairs in by_shard.items():
                self.streams.keep(self.role, shard, pairs)
            waiting: dict[int, list[bytes]] = {}
            for entries in self._blocked.values():
                for shard, entry in entries:
                    waiting.setdefault(shard, []).append(entry)
            for shard, some in waiting.items():
                self.streams.keep_waiting(self.role, shard, some)

    async def close(self) -> None:
        """Somebody else may have what is not done, at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        unfinished = list(self.held)
        self._known.clear()
        for conversation in unfinished:
            self.done(conversation)
            self._put_back(conversation)
        for conversation, entries in self._blocked.items():
            for shard, entry in entries:
                self.streams.acknowledge(self.role, shard, conversation, [entry])
            self._put_back(conversation)
