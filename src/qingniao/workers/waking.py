"""Conversations whose time is up are woken. Owns the clockwork between a `Wait` and its `Elapsed`.

Times are in a table, so they outlive the process; whether a conversation still waits, its head in
the log says. What cannot be written at once is remembered and written soon (bounded,
`drop_oldest`). Rule: it hints and never acts: the AI worker looks for itself whether a time is up.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from qingniao.bus.base import WorkQueue
from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["Timers", "Waker", "due_of"]

_log: Final = get_logger("workers")

LOOK_S: Final = 1.0
AT_ONCE: Final = 200
AGAIN_MS: Final = 30_000
"""A hint that came to nothing is given again after this."""
WRITE_S: Final = 2.0
UNWRITTEN: Final = 10_000


class Table(Protocol):
    """See `storage.timers.FlowTimers`."""

    async def set(self, conversation: int, due_ms: int) -> None:
        """Wake this conversation then."""
        ...

    async def due(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        """Conversations whose time has come, with their times."""
        ...

    async def put_off(self, conversations: Sequence[int], now_ms: int, until_ms: int) -> None:
        """Look at those that are due again only then."""
        ...

    async def drop(self, seen: Sequence[tuple[int, int]]) -> None:
        """Forget these."""
        ...


class Heads(Protocol):
    """The part of `chat.ports.MessageLog` that is read here."""

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """Where they stand."""
        ...


class Timers(Protocol):
    """What the AI worker asks for."""

    async def set(self, conversation: int, due_ms: int) -> None:
        """Call this conversation then. Never raises."""
        ...


def due_of(head: Head) -> int:
    """When this conversation wants to be woken, milliseconds; 0: it does not."""
    if head.status is not Status.BOT or head.owes_answer:
        return 0
    due_ms = head.flow.get("due_ms", 0)
    return due_ms if isinstance(due_ms, int) else 0


class Waker:
    """Implements `Timers`; `run` looks for what is due."""

    def __init__(
        self, table: Table, heads: Heads, queue: WorkQueue, clock: Callable[[], int]
    ) -> None:
        self._table = table
        self._heads = heads
        self._queue = queue
        self._clock = clock
        self._unwritten: OrderedDict[int, int] = OrderedDict()
        self.woken = 0

    async def set(self, conversation: int, due_ms: int) -> None:
        """See `Timers`."""
        self._unwritten.pop(conversation, None)
        try:
            async with asyncio.timeout(WRITE_S):
                await self._table.set(conversation, due_ms)
        except (StorageError, TimeoutError) as exc:
            _log.warning("timer_not_written", conversation=conversation, error=type(exc).__name__)
            self._unwritten[conversation] = due_ms
            if len(self._unwritten) > UNWRITTEN:
                self._unwritten.popitem(last=False)

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            found = 0
            try:
                found = await self.look()
            except StorageError as exc:
                _log.warning("waking_waits", reason=str(exc))
            await asyncio.sleep(0 if found == AT_ONCE else LOOK_S)

    async def look(self) -> int:
        """Hint at what is due; how many rows were looked at."""
        for conversation, due_ms in tuple(self._unwritten.items()):
            await self._table.set(conversation, due_ms)
            if self._unwritten.get(conversation) == due_ms:
                del self._unwritten[conversation]
        now_ms = self._clock()
        rows = await self._table.due(now_ms, AT_ONCE)
        if not rows:
            return 0
        heads = await self._heads.heads([conversation for conversation, _ in rows])
        due: list[int] = []
        over: list[tuple[int, int]] = []
        for conversation, row_ms in rows:
            head = heads.get(conversation)
            at_ms = due_of(head) if head is not None else 0
            if at_ms > now_ms:
                await self._table.set(conversation, at_ms)
            elif at_ms:
                due.append(conversation)
            elif head is not None and head.owes_answer:
                # It is being answered, and may be about to wait for this very time.
                due.append(conversation)
            else:
                over.append((conversation, row_ms))
        await self._table.put_off(due, now_ms, now_ms + AGAIN_MS)
        await self._table.drop(over)
        for conversation in due:
            self._queue.put(Role.AI, conversation)
        self.woken += len(due)
        return len(rows)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "counter", "flow_woken", "Hints to conversations whose time was up.", self.woken
