"""Keeps the agents' list and the hourly sums up with the log (the analytics role).

Rule: a conversation's row and what happened up to its `last` are written in one transaction, so
that everything is counted once. It may lag under load; it never loses anything.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

from qingniao.bus.base import WorkQueue
from qingniao.chat.head import Head
from qingniao.chat.ports import MessageLog, Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.protocol.frames import Entry, EntryType
from qingniao.storage.rollups import Rollup
from qingniao.storage.rows import IndexRow

__all__ = ["IndexWorker", "amounts_of", "row_of"]

_log: Final = get_logger("workers")
_HOUR_MS: Final = 3_600_000
_GATHER_S: Final = 0.05
"""Longer than a commit, shorter than anybody notices in a list."""
_BATCH: Final = 500
_READ: Final = 500
_RETRY_S: Final = 1.0


class Index(Protocol):
    """The part of `storage.conversations.ConversationIndex` that is written here."""

    async def lasts(self, ids: Sequence[int]) -> dict[int, int]:
        """Up to which `seq` each is projected."""
        ...

    async def project(self, rows: Sequence[IndexRow], amounts: Sequence[Rollup] = ()) -> None:
        """Rows and sums in one transaction."""
        ...


class IndexWorker:
    """Takes changed conversations in batches."""

    def __init__(self, log: MessageLog, queue: WorkQueue, index: Index) -> None:
        self._message_log = log
        self._queue = queue
        self._index = index

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            batch = {await self._queue.take(Role.INDEX)}
            await asyncio.sleep(_GATHER_S)
            # The rest is taken without waiting: an empty queue ends the batch.
            while len(batch) < _BATCH:
                try:
                    async with asyncio.timeout(0):
                        batch.add(await self._queue.take(Role.INDEX))
                except TimeoutError:
                    break
            try:
                await self.project(sorted(batch))
            except StorageError as exc:
                _log.warning("index_behind", reason=str(exc), conversations=len(batch))
                await asyncio.sleep(_RETRY_S)  # their marks remain: the sweeper brings them again

    async def project(self, conversations: Sequence[int]) -> None:
        """Bring these rows up to date."""
        heads = await self._message_log.heads(conversations)
        rows = [row_of(head) for head in heads.values()]
        known = await self._index.lasts(conversations)
        sums: Counter[tuple[int, str, str]] = Counter()
        for row in rows:
            after = known.get(row.id, 0)
            while after < row.last:
                limit = min(_READ, row.last - after)
                entries = await self._message_log.entries(row.id, after, limit)
                if not entries:
                    break
                for entry in entries:
                    sums.update(amounts_of(entry))
                after = entries[-1].seq
        amounts = [
            Rollup(hour=hour, metric=metric, label=label, value=value)
            for (hour, metric, label), value in sums.items()
        ]
        await self._index.project(rows, amounts)
        await self._message_log.clear(Role.INDEX, [(row.id, row.last) for row in rows])


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


def amounts_of(entry: Entry) -> dict[tuple[int, str, str], int]:
    """What one entry adds to the sums: (hour, metric, label) → amount."""
    hour = entry.time // _HOUR_MS
    amounts: dict[tuple[int, str, str], int] = {}
    if entry.seq == 1:
        amounts[hour, "conversations", ""] = 1
    body = entry.body
    if entry.type in (EntryType.TEXT, EntryType.FILE, EntryType.ANSWER):
        amounts[hour, "messages", entry.sender] = 1
    elif entry.type == EntryType.STATUS and isinstance(body, dict):
        amounts[hour, f"became_{body['to']}", str(body.get("why", ""))] = 1
    elif entry.type == EntryType.RATING and isinstance(body, dict):
        amounts[hour, "ratings", str(body.get("score"))] = 1
    return amounts
