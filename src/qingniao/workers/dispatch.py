"""From "conversation X has news" to a worker's call. Owns order, parallelism and repair.

Rule: one conversation is handled by one call at a time, many in parallel, bounded; what a crash,
a full queue or a failing worker left undone is found again by its mark in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from qingniao.bus.base import WorkQueue
from qingniao.chat.ports import MARKS_AT_ONCE, MessageLog, Role
from qingniao.errors import QingniaoError, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["Dispatcher", "Sweeper"]

_log: Final = get_logger("workers")
_SWEEP_S: Final = 2.0
_STEP: Final = MARKS_AT_ONCE
"""Marks re-issued per role and sweep: a backlog is worked off in order, not all at once."""


class Dispatcher:
    """Feeds `handle` with the conversations of one role."""

    def __init__(
        self, role: Role, queue: WorkQueue, handle: Callable[[int], Awaitable[bool]], parallel: int
    ) -> None:
        """`handle` returns whether the conversation owes more work already."""
        self._role = role
        self._queue = queue
        self._handle = handle
        self._parallel = parallel
        self._has_room = asyncio.Event()
        self._busy: dict[int, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: asyncio.Future[list[int]] | None = None
        self._is_draining = False
        self.handled = self.failed = 0

    async def run(self) -> None:
        """Take and handle until cancelled; then cancels what is under way."""
        try:
            while not self._is_draining:
                while len(self._busy) >= self._parallel:
                    self._has_room.clear()
                    await self._has_room.wait()
                for conversation in await self._take(self._parallel - len(self._busy)):
                    self._begin(conversation)
            # Draining: whoever owns this cancels it when what is under way is done.
            await asyncio.get_running_loop().create_future()
        finally:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self, within_s: float) -> None:
        """Take nothing any more and wait for what is under way; what is not done by then is left
        to its mark, and whoever sweeps next finds it. Idempotent."""
        self._is_draining = True
        if self._taking is not None:
            self._taking.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_s)
            if late:
                _log.warning("work_given_back", role=self._role, conversations=len(late))

    async def _take(self, most: int) -> list[int]:
        """The next conversations; none once there is a drain."""
        if self._is_draining:
            return []
        self._taking = asyncio.ensure_future(self._queue.take(self._role, most))
        try:
            return await self._taking
        except asyncio.CancelledError:
            # Of the two who cancel, our owner is obeyed; a drain only ends the taking.
            task = asyncio.current_task()
            if self._is_draining and task is not None and not task.cancelling():
                return []
            raise
        finally:
            self._taking = None

    def _begin(self, conversation: int) -> None:
        if conversation in self._busy:
            # It is being handled: again afterwards, since this may be newer.
            self._busy[conversation] = True
            return
        self._busy[conversation] = False
        task = asyncio.create_task(self._one(conversation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, conversation: int) -> None:
        again = False
        try:
            again = await self._handle(conversation)
            self.handled += 1
        except QingniaoError as exc:
            self.failed += 1
            _log.warning("work_failed", role=self._role, conversation=conversation, reason=str(exc))
        except Exception as exc:  # a bug in a worker must not stop the role
            self.failed += 1
            _log.error("work_broke", exc=exc, role=self._role, conversation=conversation)
        finally:
            newer = self._busy.pop(conversation)
            self._has_room.set()
            self._queue.done(self._role, conversation)
        if newer or again:
            self._queue.put(self._role, conversation)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        name = self._role.value
        yield "gauge", f"work_{name}_busy", "Conversations being handled.", len(self._busy)
        yield "counter", f"work_{name}_handled", "Calls that succeeded.", self.handled
        yield "counter", f"work_{name}_failed", "Calls that failed.", self.failed


class Sweeper:
    """Issues again what is marked in the log and was not done."""

    def __init__(
        self,
        log: MessageLog,
        queue: WorkQueue,
        roles: Iterable[Role],
        is_needed: Callable[[], bool] = lambda: True,
    ) -> None:
        """`is_needed` is asked before each sweep."""
        self._is_needed = is_needed
        self._log = log
        self._queue = queue
        self._roles = tuple(roles)
        self._passed = dict.fromkeys(self._roles, 0)

    async def run(self) -> None:
        """Sweep at once (a crash may have left work) and then every two seconds."""
        while True:
            try:
                for role in self._roles if self._is_needed() else ():
                    for conversation in await self._next(role):
                        self._queue.put(role, conversation)
            except StorageError as exc:
                _log.warning("sweep_waits", reason=str(exc))
            await asyncio.sleep(_SWEEP_S)

    async def _next(self, role: Role) -> list[int]:
        """The next marks in turn: some that fail for ever must not keep the others
        waiting."""
        step = await self._log.marked(role, self._passed[role], _STEP)
        if len(step) < _STEP:
            step += await self._log.marked(role, limit=_STEP - len(step))
        self._passed[role] = step[-1] if step else 0
        return list(dict.fromkeys(step))
