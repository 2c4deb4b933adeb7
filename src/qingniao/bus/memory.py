"""The bus within one process. Rule: publishing is a function call; nothing is copied or awaited."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable

from qingniao.auth import RateLimit, SignInLimit
from qingniao.bus.base import Published
from qingniao.metrics import Reading

__all__ = [
    "MemoryFanout",
    "MemoryPresence",
    "MemoryRateLimits",
    "MemorySignInLimits",
    "MemoryWorkQueue",
]


class MemoryFanout:
    """`bus.base.Fanout` by direct calls, in the order of publishing."""

    def __init__(self) -> None:
        # Replaced, never changed: somebody may stop listening while being told.
        self._subscribers: tuple[Callable[[Published], None], ...] = ()

    @property
    def is_whole(self) -> bool:
        """See `Fanout.is_whole`: a call cannot get lost."""
        return True

    def publish(self, item: Published) -> None:
        """See `Fanout.publish`."""
        for deliver in self._subscribers:
            deliver(item)

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """See `Fanout.subscribe`."""
        self._subscribers = (*self._subscribers, deliver)

        def stop() -> None:
            self._subscribers = tuple(d for d in self._subscribers if d is not deliver)

        return stop

    async def follow(self, conversation: int) -> None:
        """See `Fanout.follow`: everybody has everything here."""

    def unfollow(self, conversation: int) -> None:
        """See `Fanout.unfollow`."""


class MemoryWorkQueue:
    """`bus.base.WorkQueue` with a bound per role (policy: refuse; the sweeper brings it again)."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self.refused = 0
        self._waiting: dict[str, deque[int]] = {}
        self._known: dict[str, set[int]] = {}
        self._takers: dict[str, deque[asyncio.Future[None]]] = {}

    def put(self, role: str, conversation: int) -> None:
        """See `WorkQueue.put`."""
        known = self._known.setdefault(role, set())
        if conversation in known:
            return
        if len(known) >= self._capacity:
            self.refused += 1
            return
        known.add(conversation)
        self._waiting.setdefault(role, deque()).append(conversation)
        self._wake(role)

    def _wake(self, role: str) -> None:
        takers = self._takers.get(role)
        while takers:
            taker = takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    async def take(self, role: str, most: int = 1) -> list[int]:
        """See `WorkQueue.take`."""
        waiting = self._waiting.setdefault(role, deque())
        while not waiting:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.setdefault(role, deque()).append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake(role)  # it was woken for an item that it will not take
                raise
        taken = [waiting.popleft() for _ in range(min(most, len(waiting)))]
        self._known[role].difference_update(taken)
        return taken

    def done(self, role: str, conversation: int) -> None:
        """See `WorkQueue.done`: a process that dies takes its queue with it."""

    def depth(self, role: str) -> int:
        """How many conversations wait for `role`."""
        return len(self._waiting.get(role, ()))

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        waiting = sum(map(len, self._waiting.values()))
        yield "gauge", "work_waiting", "Conversations waiting for any worker.", waiting
        yield "counter", "work_refused", "Hints left out for lack of room.", self.refused


class MemoryPresence:
    """`bus.base.Presence` as a counter."""

    def __init__(self) -> None:
        self._connections: Counter[str] = Counter()

    def enter(self, who: str) -> bool:
        """See `Presence.enter`."""
        self._connections[who] += 1
        return self._connections[who] == 1

    def leave(self, who: str) -> bool:
        """See `Presence.leave`."""
        left = self._connections[who] - 1
        if left > 0:
            self._connections[who] = left
            return False
        self._connections.pop(who, None)
        return True

    def is_here(self, who: str) -> bool:
        """Is a connection of theirs up in this process?"""
        return who in self._connections

    def all_here(self) -> list[str]:
        """Everybody with a connection to this process."""
        return list(self._connections)

    async def online(self, whos: Iterable[str]) -> set[str]:
        """See `Presence.online`."""
        return {who for who in whos if who in self._connections}


class MemoryRateLimits:
    """`bus.base.RateLimits` of one process."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit

    async def take(self, key: str) -> int:
        """See `RateLimits.take`."""
        return self._limit.take(key)


class MemorySignInLimits:
    """`bus.base.SignInLimits` of one process."""

    def __init__(self, limit: SignInLimit) -> None:
        self._limit = limit

    async def attempt(self, address: str, login: str) -> int:
        """See `SignInLimits.attempt`."""
        return self._limit.attempt(address, login)

    async def succeeded(self, address: str, login: str) -> None:
        """See `SignInLimits.succeeded`."""
        self._limit.succeeded(address, login)
