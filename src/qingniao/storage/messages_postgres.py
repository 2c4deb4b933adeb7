"""The message log on PostgreSQL: one database for any number of processes.

Owns everything that is asked of the log, the marks and the read marks; refuses to append, which is
`postgres_commits.py`'s. Rule: a commit never waits for somebody who reads.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.chat.ports import MARKS_AT_ONCE, ReadMark, Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.frames import Entry, EntryType
from qingniao.storage.message_keys import entry_of, frame_of
from qingniao.storage.postgres_commits import DEVICES, HEADS, Commits, numbers, standing
from qingniao.storage.postgres_connections import Connections
from qingniao.storage.postgres_draft import is_number
from qingniao.storage.postgres_gathering import Gathering
from qingniao.storage.postgres_schema import open_schema, tend_months

__all__ = ["DEADLINE_S", "HEADS_KEPT", "READERS", "PostgresMessageLog"]

HEADS_KEPT: Final = 20_000
"""Heads in memory, when nobody says another number."""
READERS: Final = 4
"""Connections for everything but commits, when nobody says another number."""
DEADLINE_S: Final = 10.0
"""How long to wait for the database, when nobody says otherwise."""
_WRITERS: Final = 1
_HEADS_AT_ONCE: Final = 500
_READS_AT_ONCE: Final = 20
"""Reads in one statement; a page of each may be large."""
_TEND_S: Final = 3_600.0
_MOST: Final = (1 << 63) - 1
# No entry of a conversation is in a month before its first, give or take a day of a clock.
_ENTRIES: Final = """
SELECT w.place, h.last, e.seq, e.record
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (c, s, n, place)
JOIN messages.heads h ON h.conversation = w.c LEFT JOIN LATERAL (
    SELECT e.seq, e.record FROM messages.entries e
    WHERE e.conversation = w.c AND e.seq > w.s AND e.stored >= h.begun - 1
    ORDER BY e.seq LIMIT w.n
) e ON true ORDER BY w.place, e.seq
"""
_ADVANCED: Final = """
SELECT h.conversation, h.last FROM unnest($1::bigint[], $2::bigint[]) AS w (c, s)
JOIN messages.heads h ON h.conversation = w.c WHERE h.last > w.s
"""
_READS: Final = """
INSERT INTO messages.reads AS r
SELECT w.c, least(w.v, h.last), least(w.a, h.last)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (c, v, a)
JOIN messages.heads h ON h.conversation = w.c ORDER BY w.c
ON CONFLICT (conversation) DO UPDATE
SET visitor = greatest(r.visitor, excluded.visitor), agents = greatest(r.agents, excluded.agents)
WHERE r.visitor < excluded.visitor OR r.agents < excluded.agents
RETURNING r.conversation, r.visitor, r.agents
"""
_MARKS: Final = {
    role: f"SELECT conversation FROM messages.heads WHERE owes_{role.value} AND conversation > $1 "  # noqa: S608
    "ORDER BY conversation LIMIT $2"
    for role in Role
}
# What the other roles owe is in the head itself: their marks go with the entry that ends them.
_CLEAR: Final = """
UPDATE messages.heads h SET owes_index = false FROM (
    SELECT h.conversation FROM unnest($1::bigint[], $2::bigint[]) AS w (c, s)
    JOIN messages.heads h ON h.conversation = w.c WHERE h.owes_index AND h.last <= w.s
    ORDER BY h.conversation FOR NO KEY UPDATE OF h
) done WHERE h.conversation = done.conversation
"""

_Records = tuple[int, list[tuple[int, bytes]]]
_log: Final = get_logger("storage")
_encode: Final = msgspec.msgpack.Encoder().encode


class PostgresMessageLog:
    """`chat.ports.MessageLog` for any number of processes. Make it with `open`."""

    def __init__(
        self, url: str, *, heads: int, readers: int, deadline_s: float, retention_days: int
    ) -> None:
        """Connects nowhere yet; see `open`."""
        self._writing = Connections(url, size=_WRITERS, deadline_s=deadline_s)
        self._commits = Commits(self._writing, kept=heads)
        # What may be forgotten in a crash (read marks, marks that were cleared) is not worth an
        # fsync.
        self._reading = Connections(url, size=readers, deadline_s=deadline_s, lazily=True)
        self._retention_days = retention_days
        self._head_of = Gathering(self._ask_heads, most=_HEADS_AT_ONCE, deadline_s=deadline_s)
        self._records_of = Gathering(self._ask_records, most=_READS_AT_ONCE, deadline_s=deadline_s)
        self._tending: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        heads: int = HEADS_KEPT,
        readers: int = READERS,
        deadline_s: float = DEADLINE_S,
        retention_days: int = 0,
    ) -> "PostgresMessageLog":
        """Connect, and make the tables if it is the first time. Raises `StartError`.

        `retention_days`: drop entries of which the whole month is older; 0 keeps everything.
        """
        log = cls(
            url, heads=heads, readers=readers, deadline_s=deadline_s, retention_days=retention_days
        )
        try:
            for connections in (log._writing, log._reading):
                await connections.open()
            await open_schema(log._writing)
            # Dropping months may have to wait for readers: a start does not.
            await tend_months(log._writing, retention_days=0)
        except BaseException:
            await log.close()
            raise
        log._tending = asyncio.get_running_loop().create_task(log._tend())
        return log

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """See `MessageLog.commit`. Cancelled, it ends when the database has."""
        return await self._commits.commit(intents, now_ms)

    async def head(self, conversation: int) -> Head | None:
        """See `MessageLog.head`."""
        return await self._head_of(conversation) if is_number(conversation) else None

    async def _ask_heads(self, conversations: Sequence[int]) -> list[Head | None]:
        found = await self.heads(conversations)
        return [found.get(conversation) for conversation in conversations]

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """See `MessageLog.heads`."""
        asked = numbers(conversations)
        if not asked:
            return {}
        return {row[0]: standing(row).head for row in await self._reading.fetch(HEADS, asked)}

    async def sent(self, conversation: int, device: str) -> int:
        """See `MessageLog.sent`."""
        head = await self.head(conversation)
        if head is None:
            return 0
        if device in head.devices:
            return head.devices[device][0]
        rows = await self._reading.fetch(DEVICES, [conversation], [device.encode()])
        return int(rows[0][2]) if rows else 0

    async def read(self, conversation: int, after: int, limit: int) -> list[bytes]:
        """See `MessageLog.read`."""
        stored = await self._stored(conversation, after, limit)
        return [frame if frame else _encode(_dropped(conversation, seq)) for seq, frame in stored]

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """See `MessageLog.entries`."""
        records = await self._records(conversation, after, limit)
        return [
            entry_of(record) if record else _dropped(conversation, seq) for seq, record in records
        ]

    async def _stored(self, conversation: int, after: int, limit: int) -> list[tuple[int, bytes]]:
        records = await self._records(conversation, after, limit)
        return [(seq, frame_of(record) if record else b"") for seq, record in records]

    async def _records(self, conversation: int, after: int, limit: int) -> list[tuple[int, bytes]]:
        """The records after `after` with their `seq`s, without a gap; an empty one was dropped."""
        after = max(0, after)
        if limit <= 0 or after >= _MOST or not is_number(conversation):
            return []
        last, stored = await self._records_of((conversation, after, min(limit, _MOST)))
        first = stored[0][0] if stored else last + 1
        # Months are dropped from the beginning.
        gone = [(seq, b"") for seq in range(after + 1, min(first, after + limit + 1))]
        return [*gone, *stored][:limit]

    async def _ask_records(self, reads: Sequence[tuple[int, int, int]]) -> list[_Records]:
        """For each (conversation, after, limit): its last `seq`, and what is stored of it."""
        columns = [list(column) for column in zip(*reads, strict=True)]
        found: list[_Records] = [(0, []) for _ in reads]  # nothing was ever said there
        for place, last, seq, record in await self._reading.fetch(_ENTRIES, *columns):
            if not found[place - 1][1]:
                found[place - 1] = last, []
            if seq is not None:
                found[place - 1][1].append((seq, record))
        return found

    async def advanced(self, known: Mapping[int, int]) -> dict[int, int]:
        """See `MessageLog.advanced`."""
        asked = numbers(known)
        if not asked:
            return {}
        seqs = [min(known[c], _MOST) for c in asked]
        return {row[0]: row[1] for row in await self._reading.fetch(_ADVANCED, asked, seqs)}

    async def mark_read(self, marks: Sequence[ReadMark]) -> dict[int, tuple[int, int]]:
        """See `MessageLog.mark_read`."""
        sides: dict[int, list[int]] = {}
        for conversation, is_agent, seq in marks:
            if is_number(conversation):
                both = sides.setdefault(conversation, [0, 0])
                both[is_agent] = max(both[is_agent], min(seq, _MOST))
        asked = [c for c, both in sides.items() if any(both)]
        if not asked:
            return {}
        visitors, agents = [sides[c][0] for c in asked], [sides[c][1] for c in asked]
        rows = await self._reading.fetch(_READS, asked, visitors, agents)
        return {row[0]: (row[1], row[2]) for row in rows}

    async def flush_reads(self) -> None:
        """See `MessageLog.flush_reads`: they are there already. Can the log be written?"""
        (row,) = await self._reading.fetch("SELECT pg_is_in_recovery()")
        if row[0]:
            raise StorageError("This PostgreSQL can only be read: it is a replica.")

    async def marked(self, role: Role, after: int = 0, limit: int = MARKS_AT_ONCE) -> list[int]:
        """See `MessageLog.marked`."""
        rows = await self._reading.fetch(_MARKS[role], min(after, _MOST), limit)
        return [row[0] for row in rows]

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """See `MessageLog.clear`."""
        if role is Role.INDEX and (done := dict(seen)) and (asked := numbers(done)):
            await self._reading.fetch(_CLEAR, asked, [min(done[c], _MOST) for c in asked])

    async def _tend(self) -> None:
        while True:
            try:
                await tend_months(self._reading, self._retention_days)
            except StorageError as exc:
                _log.warning("months_not_made", reason=str(exc))
            await asyncio.sleep(_TEND_S)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield from self._commits.readings()
        size = self._writing.size + self._reading.size
        yield "gauge", "log_connections", "Connections to PostgreSQL for the log.", size

    async def close(self) -> None:
        """See `MessageLog.close`."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        await self._head_of.close()
        await self._records_of.close()
        await self._writing.close()
        await self._reading.close()


def _dropped(conversation: int, seq: int) -> Entry:
    """What is said of an entry that retention has dropped."""
    return Entry(conversation, seq, 0, "s", EntryType.HIDDEN, None)
