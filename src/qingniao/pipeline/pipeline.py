"""Group commit. Owns the line of intents between whoever sends and the message log.

Idle, an intent is committed at once; under load, what arrives during one fsync shares the next.
Rule: nothing is told to anybody (ack, fan-out, work) before it is on disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from qingniao.bus.base import Fanout, News, Told, WorkQueue
from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import MessageLog, Role
from qingniao.clock import Clock
from qingniao.config import PipelineConfig
from qingniao.errors import Busy, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.frames import EntryType

__all__ = ["Pipeline", "Reply"]

Reply = Callable[[Decision | StorageError], None]
"""Called on the loop once the intent's fate is known; must not raise."""

_log = get_logger("pipeline")


class Pipeline:
    """Bounded (policy: refuse), ordered intake. One per process; `run` is its owner's task."""

    def __init__(
        self, log: MessageLog, fanout: Fanout, work: WorkQueue, clock: Clock, config: PipelineConfig
    ) -> None:
        self._log = log
        self._fanout = fanout
        self._work = work
        self._clock = clock
        self._config = config
        self._waiting: deque[tuple[Intent, Reply | None]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self.commits = self.committed = self.refused = self.failed = 0

    @property
    def retry_after_ms(self) -> int:
        """When to come back after `offer` refused."""
        return self._config.retry_after_ms

    @property
    def is_busy(self) -> bool:
        """Do enough wait (a quarter of a commit) for the CPU to be better spent on them?"""
        return len(self._waiting) > self._config.batch // 4

    def offer(self, intent: Intent, reply: Reply | None) -> bool:
        """Take an intent, or say at once that there is no room (False: nothing was taken)."""
        if len(self._waiting) >= self._config.waiting or self._closing:
            self.refused += 1
            return False
        self._waiting.append((intent, reply))
        self._idle.clear()
        self._wake.set()
        return True

    async def submit(self, intent: Intent) -> Decision:
        """Take an intent and wait for its fate. Raises `Busy` or `StorageError`."""
        fate: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()

        def settle(result: Decision | StorageError) -> None:
            if fate.done():
                return
            if isinstance(result, StorageError):
                fate.set_exception(result)
            else:
                fate.set_result(result)

        if not self.offer(intent, settle):
            raise Busy(self._config.retry_after_ms)
        return await fate

    async def run(self) -> None:
        """Commit until cancelled; what was taken and not stored then stays in line."""
        while True:
            await self._wake.wait()
            while self._waiting:
                await self._commit()
            self._wake.clear()
            self._idle.set()

    async def drain(self) -> None:
        """Refuse what is new and wait until everything taken is stored."""
        self._closing = True
        await self._idle.wait()

    async def _commit(self) -> None:
        size = min(len(self._waiting), self._config.batch)
        taken = [self._waiting.popleft() for _ in range(size)]
        try:
            decisions = await self._log.commit([intent for intent, _ in taken], self._clock())
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(taken))
            raise
        except StorageError as exc:
            self._fail(taken, exc)
            return
        except Exception as exc:  # a bug of ours must not end the intake for everybody
            fault = StorageError("Storing failed for an unexpected reason; see the server's log.")
            fault.__cause__ = exc
            self._fail(taken, fault)
            return
        self.commits += 1
        self.committed += size
        touched: dict[int, None] = {}
        for (_, reply), decision in zip(taken, decisions, strict=True):
            if decision.entries:
                touched[decision.intent.conversation] = None
            try:
                if decision.entries:
                    self._tell(decision)
                if reply is not None:
                    reply(decision)
            except Exception as exc:  # it is stored; who was not told finds it in the log
                _log.error("telling_failed", exc=exc, conversation=decision.intent.conversation)
        try:
            self._hint(await self._log.heads(touched))
        except Exception as exc:  # the marks are on disk: the sweeper brings them again
            _log.error("hinting_failed", exc=exc, conversations=len(touched))

    def _fail(self, taken: Sequence[tuple[Intent, Reply | None]], exc: StorageError) -> None:
        # What waits behind was numbered on top of what failed: it must fail too, or it would be
        # taken for a hole.
        behind = list(self._waiting)
        self._waiting.clear()
        self.failed += len(taken) + len(behind)
        _log.error("commit_failed", exc=exc, intents=len(taken) + len(behind))
        for _, reply in (*taken, *behind):
            if reply is not None:
                reply(exc)

    def _tell(self, decision: Decision) -> None:
        entries, frames, device = decision.entries, decision.frames, decision.device
        conversation = decision.intent.conversation
        if len(entries) == 1:  # a plain message: most of all there are
            entry = entries[0]
            told: tuple[Told, ...] = (Told(entry.seq, entry.type, frames[0], device),)
            self._fanout.publish(News(conversation, told, entry.type == EntryType.STATUS))
            return
        told = tuple(
            Told(entry.seq, entry.type, frame, device)
            for entry, frame in zip(entries, frames, strict=True)
        )
        moved = any(entry.type == EntryType.STATUS for entry in entries)
        self._fanout.publish(News(conversation, told, moved))

    def _hint(self, heads: dict[int, Head]) -> None:
        for conversation, head in heads.items():
            self._work.put(Role.INDEX, conversation)
            if head.owes_bot:
                self._work.put(Role.AI, conversation)
            if head.status is Status.WAITING:
                self._work.put(Role.ASSIGNMENT, conversation)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "pipeline_waiting", "Messages waiting to be stored.", len(self._waiting)
        yield "counter", "pipeline_commits", "Group commits.", self.commits
        yield "counter", "pipeline_committed", "Messages stored or repeated.", self.committed
        yield "counter", "pipeline_refused", "Messages refused for lack of room.", self.refused
        yield "counter", "pipeline_failed", "Messages that could not be stored.", self.failed
