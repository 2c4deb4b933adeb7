"""Group commit. Owns the line of intents between whoever sends and the message log.

Idle, an intent is committed at once; under load, what arrives during one fsync shares the next.
Rule: nothing is told to anybody (ack, fan-out, work) before it is on disk.
"""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from typing import Final

from qingniao.bus.base import Fanout, Moved, News, Told, WorkQueue
from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import MessageLog, Role
from qingniao.clock import Clock
from qingniao.config import PipelineConfig
from qingniao.errors import Busy, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Histogram, Reading
from qingniao.pipeline.lanes import Lanes, Reply, Waiting
from qingniao.protocol.frames import EntryType

__all__ = ["Pipeline", "Reply"]

_INTENT_BYTES: Final = 512
"""What an intent counts whose size nobody told: those of workers are small and few."""
_RETRY_MAX_MS: Final = 10_000
_HELD_MS: Final = 2_000
_SMOOTH: Final = 0.2
"""Weight of the latest commit in what is expected of the next."""
_SMALLEST_BATCH: Final = 16

_log: Final = get_logger("pipeline")


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
        self._lanes = Lanes(config)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = self._refuses = False
        self._told_s = 0.0
        """Seconds of the loop that telling one intent's fate takes, smoothed."""
        self._stored_s = 0.0
        """Seconds from commit to commit per intent, smoothed."""
        self.commits = self.committed = self.refused = self.failed = 0
        self._sizes = Histogram(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
        self._times = Histogram(0.5, 1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1_000, 4_000)

    @property
    def retry_after_ms(self) -> int:
        """When to come back after `offer` refused: while what waits now is being stored, or the log
        would wait for those who sleep; and not all at the same moment. While nothing is taken at
        all, asking often would only cost."""
        least_ms = _HELD_MS if self._refuses else self._config.retry_after_ms
        wait_ms = max(least_ms, len(self._lanes) * self._stored_s * 1000)
        return int(min(wait_ms, _RETRY_MAX_MS) * random.uniform(0.5, 1)) + 1  # noqa: S311

    @property
    def depth(self) -> int:
        """How many intents wait to be stored."""
        return len(self._lanes)

    @property
    def room(self) -> int:
        """Messages that may come before a line is half full; below 0 when one is. Then whoever was
        let in should not say more at once."""
        return self._lanes.room

    @property
    def is_busy(self) -> bool:
        """Do enough wait (a quarter of a commit) for the CPU to be better spent on them?"""
        return len(self._lanes) > self._config.batch // 4

    def offer(self, intent: Intent, reply: Reply | None, size: int = _INTENT_BYTES) -> bool:
        """Take an intent that came in `size` bytes, or say at once that there is no room (False:
        nothing was taken)."""
        if self._refuses or not self._lanes.put((intent, reply, size)):
            self.refused += 1
            return False
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
            raise Busy(self.retry_after_ms)
        return await fate

    async def run(self) -> None:
        """Commit until cancelled; what was taken and not stored then stays in line."""
        while True:
            await self._wake.wait()
            while self._lanes:
                await self._commit()
            self._wake.clear()
            self._idle.set()

    async def hold(self) -> None:
        """Refuse what is new, until `go_on`, and wait until everything taken is stored."""
        self._refuses = True
        await self._idle.wait()

    def go_on(self) -> None:
        """The opposite of `hold`."""
        self._refuses = self._closing

    async def drain(self) -> None:
        """Refuse what is new and wait until everything taken is stored."""
        self._closing = self._refuses = True
        await self._idle.wait()

    async def _commit(self) -> None:
        taken = self._lanes.take(self._most())
        began = time.perf_counter()
        try:
            decisions = await self._log.commit([intent for intent, _, _ in taken], self._clock())
        except asyncio.CancelledError:
            self._lanes.put_back(taken)
            raise
        except StorageError as exc:
            self._fail(taken, exc)
            return
        except Exception as exc:  # a bug of ours must not end the intake for everybody
            fault = StorageError("Storing failed for an unexpected reason; see the server's log.")
            fault.__cause__ = exc
            self._fail(taken, fault)
            return
        stored = time.perf_counter()
        self.commits += 1
        self.committed += len(taken)
        self._sizes.observe(len(taken))
        self._times.observe((stored - began) * 1000)
        touched: dict[int, Head] = {}
        for (_, reply, _), decision in zip(taken, decisions, strict=True):
            if decision.head is not None:
                touched[decision.intent.conversation] = decision.head
            try:
                if decision.entries:
                    self._tell(decision)
                if reply is not None:
                    reply(decision)
            except Exception as exc:  # it is stored; who was not told finds it in the log
                _log.error("telling_failed", exc=exc, conversation=decision.intent.conversation)
        try:
            self._hint(touched)
        except Exception as exc:  # the marks are on disk: the sweeper brings them again
            _log.error("hinting_failed", exc=exc, conversations=len(touched))
        ended = time.perf_counter()
        self._told_s += _SMOOTH * ((ended - stored) / len(taken) - self._told_s)
        self._stored_s += _SMOOTH * ((ended - began) / len(taken) - self._stored_s)

    def _most(self) -> int:
        """Intents in the next batch. Deciding them holds the loop about as long as telling."""
        batch = self._config.batch
        one_s = 2 * self._told_s
        fits = int(self._config.batch_ms / 1000 / one_s) if one_s else batch
        return min(batch, max(_SMALLEST_BATCH, fits))

    def _fail(self, taken: Sequence[Waiting], exc: StorageError) -> None:
        # What waits behind was numbered on top of what failed: it must fail too, or it would be
        # taken for a hole.
        behind = self._lanes.clear()
        self.failed += len(taken) + len(behind)
        _log.error("commit_failed", exc=exc, intents=len(taken) + len(behind))
        for _, reply, _ in (*taken, *behind):
            if reply is not None:
                reply(exc)

    def _tell(self, decision: Decision) -> None:
        entries, frames, device = decision.entries, decision.frames, decision.device
        conversation = decision.intent.conversation
        if len(entries) == 1:  # a plain message: most of all there are
            entry = entries[0]
            told: tuple[Told, ...] = (Told(entry.seq, entry.type, frames[0], device),)
            moved = entry.type == EntryType.STATUS
        else:
            told = tuple(
                Told(entry.seq, entry.type, frame, device)
                for entry, frame in zip(entries, frames, strict=True)
            )
            moved = any(entry.type == EntryType.STATUS for entry in entries)
        self._fanout.publish(News(conversation, told, moved))
        if moved:
            self._fanout.publish(Moved(conversation))

    def _hint(self, heads: dict[int, Head]) -> None:
        for conversation, head in heads.items():
            self._work.put(Role.INDEX, conversation)
            if head.owes_bot:
                self._work.put(Role.AI, conversation)
            if head.status is Status.WAITING:
                self._work.put(Role.ASSIGNMENT, conversation)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        visitors, staff = self._lanes.visitors, self._lanes.staff
        yield "gauge", "pipeline_waiting", "Messages of visitors that wait.", len(visitors.items)
        yield "gauge", "pipeline_waiting_staff", "The same of agents, workers.", len(staff.items)
        yield "gauge", "pipeline_waiting_bytes", "Bytes of both.", self._lanes.size
        yield "counter", "pipeline_commits", "Group commits.", self.commits
        yield "counter", "pipeline_committed", "Messages stored or repeated.", self.committed
        yield "counter", "pipeline_refused", "Messages refused for lack of room.", self.refused
        yield "counter", "pipeline_failed", "Messages that could not be stored.", self.failed
        yield "histogram", "commit_messages", "Messages in a group commit.", self._sizes
        yield "histogram", "commit_ms", "From its decisions to the disk's word.", self._times
