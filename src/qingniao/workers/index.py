"""Keeps the agents' list and the hourly sums up with the log (the analytics role).

Rule: a conversation's row and what happened up to its `last` are written in one transaction, so
that everything is counted once. It may lag under load; it never loses anything.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from qingniao.bus.base import WorkQueue
from qingniao.chat.head import Head
from qingniao.chat.ports import MessageLog, Role
from qingniao.errors import StorageError
from qingniao.flow.counting import counted
from qingniao.log import get_logger
from qingniao.protocol.frames import Entry, EntryType
from qingniao.storage.conversations import Counted
from qingniao.storage.rollups import Rollup
from qingniao.storage.rows import IndexRow

__all__ = ["IndexWorker", "add_amounts", "row_of"]

_log: Final = get_logger("workers")
_HOUR_MS: Final = 3_600_000
_GATHER_S: Final = 0.05
"""Longer than a commit, shorter than anybody notices in a list."""
_BATCH: Final = 500
_READ: Final = 500
_RETRY_S: Final = 1.0
_TURN: Final = 500
"""Entries counted in one turn of the loop: about 2 ms."""
_TRIES: Final = 3
_BUSY_S: Final = 0.1
_LAG_S: Final = 2.0
"""How long the list may lag behind while messages wait to be stored: they come first."""


_MESSAGES: Final = frozenset({EntryType.TEXT, EntryType.FILE, EntryType.ANSWER})


class Index(Protocol):
    """The part of `storage.conversations.ConversationIndex` that is written here."""

    async def lasts(self, ids: Sequence[int]) -> dict[int, int]:
        """Up to which `seq` each is projected."""
        ...

    async def project(self, rows: Sequence[IndexRow], counted: Sequence[Counted] = ()) -> list[int]:
        """Rows and sums in one transaction; the answer are those to be counted again."""
        ...


class IndexWorker:
    """Takes changed conversations in batches."""

    def __init__(
        self,
        log: MessageLog,
        queue: WorkQueue,
        index: Index,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_busy` says whether messages are waiting for the CPU; then lists lag a little."""
        self._is_busy = is_busy
        self._message_log = log
        self._queue = queue
        self._index = index
        self._counted = 0

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            batch = await self._queue.take(Role.INDEX, _BATCH)
            try:
                await self.project(sorted(batch))
            except StorageError as exc:
                _log.warning("index_behind", reason=str(exc), conversations=len(batch))
                await asyncio.sleep(_RETRY_S)  # their marks remain: the sweeper brings them again
            for conversation in batch:
                self._queue.done(Role.INDEX, conversation)
            await self._gather()

    async def _gather(self) -> None:
        """Let the next changes gather, longer while there is more urgent work."""
        await asyncio.sleep(_GATHER_S)
        lag_s = _GATHER_S
        while lag_s < _LAG_S and self._is_busy():
            await asyncio.sleep(_BUSY_S)
            lag_s += _BUSY_S

    async def project(self, conversations: Sequence[int]) -> None:
        """Bring these rows up to date."""
        todo = list(conversations)
        for _ in range(_TRIES):
            heads = await self._message_log.heads(todo)
            rows = [row_of(head) for head in heads.values()]
            known = await self._index.lasts(todo)
            counted = [await self._count(row, known.get(row.id, 0)) for row in rows]
            todo = await self._index.project(rows, counted)
            done = [(row.id, row.last) for row in rows if row.id not in todo]
            await self._message_log.clear(Role.INDEX, done)
            if not todo:
                return
        # Others are at these all the time; the marks remain, and the sweeper brings them again.
        _log.info("index_contended", conversations=len(todo))

    async def _count(self, row: IndexRow, after: int) -> Counted:
        """What happened in it since it was projected last."""
        sums: Counter[tuple[int, str, str]] = Counter()
        at = after
        while at < row.last:
            limit = min(_READ, row.last - at)
            entries = await self._message_log.entries(row.id, at, limit)
            if not entries:
                break
            for entry in entries:
                add_amounts(entry, sums)
            at = entries[-1].seq
            self._counted += len(entries)
            if self._counted >= _TURN:
                self._counted = 0
                await asyncio.sleep(0)  # a backlog must not hold up the sockets
        amounts = (
            Rollup(hour=hour, metric=metric, label=label, value=value)
            for (hour, metric, label), value in sums.items()
        )
        return Counted(row.id, after, tuple(amounts))


def row_of(head: Head) -> IndexRow:
    """A head as the list keeps it, frozen at this moment."""
    return IndexRow(
        id=head.conversation,
        visitor=head.visitor,
        visitor_name=head.visitor_name,
        status=head.status.value,
        assignee=head.assignee,
        last=head.last,
        session=head.session,
        time=head.time,
        since=head.since,
        preview=head.preview,
        sender=head.sender,
        why=head.why,
        read_visitor=head.read_visitor,
        read_agent=head.read_agent,
    )


def add_amounts(entry: Entry, sums: Counter[tuple[int, str, str]]) -> None:
    """Count one entry: adds to `sums` by (hour, metric, label)."""
    hour = entry.time // _HOUR_MS
    if entry.seq == 1:
        sums[hour, "conversations", ""] += 1
    kind = entry.type
    if kind in _MESSAGES:
        sums[hour, "messages", entry.sender] += 1
        return
    body = entry.body
    if not isinstance(body, dict):
        return
    if kind == EntryType.STATUS:
        sums[hour, f"became_{body['to']}", str(body.get("why", ""))] += 1
    elif kind == EntryType.STEP:
        for metric, label in counted(body):
            sums[hour, metric, label] += 1
    elif kind == EntryType.RATING:
        metric = "answer_ratings" if "of" in body else "ratings"
        sums[hour, metric, str(body.get("score"))] += 1
