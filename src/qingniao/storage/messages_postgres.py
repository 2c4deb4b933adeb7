"""The message log on PostgreSQL: one database, many processes that append at the same time.

Owns what makes a commit: deciding on heads as they were last seen, and having the database append
only if they still are so; refuses to decide anything (that is `chat.intake`). Rule: what `commit`
returns is committed, and what is kept in memory is believed only once the database compared it.

A commit is one statement, `messages.append`, and one journey: it locks the heads, compares their
versions, appends. If others were faster, what they changed is read and everything decided anew; if
they are again and again, the heads are locked before deciding. While that happens often, what has
changed is asked for before the first attempt. A connection that breaks leaves the outcome unknown:
`StorageError`, the sender sends again, and is recognised.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import asyncpg
import msgspec

from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Intent
from qingniao.chat.ports import MARKS_AT_ONCE, ReadMark, Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.frames import Entry, EntryType
from qingniao.storage.message_keys import entry_of, frame_of
from qingniao.storage.postgres_connections import Connection, Connections, Row
from qingniao.storage.postgres_draft import Draft, Sent, Standing, forgotten_by, is_number
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
_FREE_TRIES: Final = 3
"""Attempts of a commit before the heads are locked while deciding."""
_LOCKED_TRIES: Final = 5
"""Attempts after that: a new conversation cannot be locked, only begun by somebody else."""
_HEADS_AT_ONCE: Final = 500
_READS_AT_ONCE: Final = 20
"""Reads in one statement; a page of each may be large."""
_SMOOTH: Final = 0.05
_OFTEN: Final = 0.2
"""Share of commits that others overtook from which on it is asked first what has changed."""
_TEND_S: Final = 3_600.0
_MOST: Final = (1 << 63) - 1
_OVERTAKEN: Final = "QN001"

_APPEND: Final = f"SELECT messages.append({', '.join(f'${n}' for n in range(1, 18))})"
_HEADS: Final = """
SELECT h.conversation, h.version, h.touched, h.head, r.visitor, r.agents
FROM messages.heads h LEFT JOIN messages.reads r ON r.conversation = h.conversation
WHERE h.conversation = ANY ($1::bigint[])
"""
_LOCKED_HEADS: Final = f"{_HEADS} ORDER BY h.conversation FOR NO KEY UPDATE OF h"
_CHANGED_HEADS: Final = """
SELECT h.conversation, h.version, h.touched, h.head, r.visitor, r.agents
FROM unnest($1::bigint[], $2::bigint[]) AS w (c, v)
JOIN messages.heads h ON h.conversation = w.c AND h.version <> w.v
LEFT JOIN messages.reads r ON r.conversation = h.conversation
"""
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
_DEVICES: Final = """
SELECT d.conversation, d.device, d.n, d.seq FROM unnest($1::bigint[], $2::bytea[]) AS w (c, d)
JOIN messages.devices d ON d.conversation = w.c AND d.device = w.d
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
_decode_head: Final = msgspec.msgpack.Decoder(Head).decode


class PostgresMessageLog:
    """`chat.ports.MessageLog` for any number of processes. Make it with `open`."""

    def __init__(
        self, url: str, *, heads: int, readers: int, deadline_s: float, retention_days: int
    ) -> None:
        """Connects nowhere yet; see `open`."""
        # A commit never waits for somebody who reads. What may be forgotten in a crash (read marks,
        # marks that were cleared) is not worth an fsync.
        self._writing = Connections(url, size=_WRITERS, deadline_s=deadline_s)
        self._reading = Connections(url, size=readers, deadline_s=deadline_s, lazily=True)
        self._deadline_s = deadline_s
        self._retention_days = retention_days
        self._kept = heads
        self._head_of = Gathering(self._ask_heads, most=_HEADS_AT_ONCE, deadline_s=deadline_s)
        self._records_of = Gathering(self._ask_records, most=_READS_AT_ONCE, deadline_s=deadline_s)
        self._seen: dict[int, Standing] = {}
        self._often = 0.0
        self._tending: asyncio.Task[None] | None = None
        self.overtaken = self.locked = 0

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
            await tend_months(log._writing, retention_days)
        except BaseException:
            await log.close()
            raise
        log._tending = asyncio.get_running_loop().create_task(log._tend())
        return log

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """See `MessageLog.commit`. Cancelled, it ends when the database has."""
        committing = asyncio.get_running_loop().create_task(self._commit(intents, now_ms))
        try:
            # Cancelling the caller must not leave behind what comes to the database later.
            return await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.wait([committing])
            raise

    async def _commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        conversations = _numbers(intent.conversation for intent in intents)
        try:
            async with self._writing.take() as connection:
                stale: Iterable[int] = conversations if self._often > _OFTEN else ()
                for _ in range(_FREE_TRIES):
                    await self._refresh(connection, conversations, stale)
                    draft = await self._draft(connection, intents, now_ms, self._seen)
                    stale = await self._append(connection, draft, conversations)
                    self._often += _SMOOTH * (bool(stale) - self._often)
                    if not stale:
                        self._seen.update(draft.changed)
                        return draft.decisions
                    self.overtaken += 1
                return await self._commit_locked(connection, intents, now_ms, conversations)
        finally:
            self._evict()

    async def _commit_locked(
        self,
        connection: Connection,
        intents: Sequence[Intent],
        now_ms: int,
        conversations: Sequence[int],
    ) -> list[Decision]:
        self.locked += 1
        for _ in range(_LOCKED_TRIES):
            with suppress(_Overtaken):
                async with connection.transaction():
                    rows = await connection.fetch(_LOCKED_HEADS, conversations)
                    seen = {row[0]: _standing(row) for row in rows}
                    draft = await self._draft(connection, intents, now_ms, seen)
                    if await self._append(connection, draft, conversations):
                        raise _Overtaken
                self._seen.update(draft.changed)
                return draft.decisions
        raise StorageError("Others write to the same conversations all the time; try again.")

    async def _refresh(
        self, connection: Connection, conversations: Sequence[int], stale: Iterable[int]
    ) -> None:
        """Read the heads that are not in memory, and the `stale` ones that have changed."""
        asked = [*dict.fromkeys([*(c for c in conversations if c not in self._seen), *stale])]
        if asked:
            versions = [self._seen[c].version if c in self._seen else -1 for c in asked]
            for row in await connection.fetch(_CHANGED_HEADS, asked, versions):
                self._seen[row[0]] = _standing(row)

    async def _draft(
        self,
        connection: Connection,
        intents: Sequence[Intent],
        now_ms: int,
        seen: Mapping[int, Standing],
    ) -> Draft:
        forgotten = forgotten_by(seen, intents)
        devices: dict[tuple[int, str], Sent] = {}
        if forgotten:
            names = [device.encode() for _, device in forgotten]
            for row in await connection.fetch(_DEVICES, [c for c, _ in forgotten], names):
                devices[row[0], row[1].decode()] = row[2], row[3]
        return Draft(intents, now_ms, seen, devices)

    async def _append(
        self, connection: Connection, draft: Draft, conversations: Sequence[int]
    ) -> Sequence[int]:
        """Have the draft appended; or else the conversations that must be looked at again."""
        if draft.is_certain:
            return ()
        try:
            rows = await connection.fetch(_APPEND, *draft.columns())
        except asyncpg.PostgresError as exc:
            if exc.sqlstate == _OVERTAKEN:
                return conversations
            raise
        return [row[0] for row in rows]

    async def head(self, conversation: int) -> Head | None:
        """See `MessageLog.head`."""
        return await self._head_of(conversation) if is_number(conversation) else None

    async def _ask_heads(self, conversations: Sequence[int]) -> list[Head | None]:
        found = await self.heads(conversations)
        return [found.get(conversation) for conversation in conversations]

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """See `MessageLog.heads`."""
        asked = _numbers(conversations)
        if not asked:
            return {}
        return {row[0]: _standing(row).head for row in await self._reading.fetch(_HEADS, asked)}

    async def sent(self, conversation: int, device: str) -> int:
        """See `MessageLog.sent`."""
        head = await self.head(conversation)
        if head is None:
            return 0
        if device in head.devices:
            return head.devices[device][0]
        rows = await self._reading.fetch(_DEVICES, [conversation], [device.encode()])
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
        asked = _numbers(known)
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
        if role is Role.INDEX and (done := dict(seen)) and (asked := _numbers(done)):
            await self._reading.fetch(_CLEAR, asked, [min(done[c], _MOST) for c in asked])

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            try:
                await tend_months(self._reading, self._retention_days)
            except StorageError as exc:
                _log.warning("months_not_made", reason=str(exc))

    def _evict(self) -> None:
        surplus = len(self._seen) - self._kept
        if surplus > 0:
            for conversation in list(self._seen)[: surplus + self._kept // 10]:
                del self._seen[conversation]

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "heads", "Conversations whose state is in memory.", len(self._seen)
        yield "counter", "commits_overtaken", "Attempts that others were ahead of.", self.overtaken
        yield "counter", "commits_locked", "Commits that locked heads to decide.", self.locked
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


class _Overtaken(Exception):
    """Somebody else began one of these conversations: roll back."""


def _standing(row: Row) -> Standing:
    head = _decode_head(row[3])
    if row[4] is not None:
        head.read_visitor, head.read_agent = row[4], row[5]
    return Standing(row[1], row[2], head)


def _numbers(conversations: Iterable[int]) -> list[int]:
    """Those that can be a conversation's, each once, ascending."""
    return sorted({c for c in conversations if is_number(c)})


def _dropped(conversation: int, seq: int) -> Entry:
    """What is said of an entry that retention has dropped."""
    return Entry(conversation, seq, 0, "s", EntryType.HIDDEN, None)
