"""A message log from elsewhere on its way into PostgreSQL, before anybody serves from there.

Owns the rows it brings and the note in `messages.layout` that a move is under way, because of which
no process opens the log; refuses a log that has anything in it already. Rule: what it has taken is
read back and compared in the transaction that brings it.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.chat.head import Head
from qingniao.chat.ports import Role, owes
from qingniao.errors import StartError, StorageError
from qingniao.storage.message_keys import entry_of
from qingniao.storage.postgres_connections import Connection, Connections
from qingniao.storage.postgres_schema import make_month, open_schema

__all__ = ["LogImport", "Moved", "digest"]

_DEADLINE_S: Final = 120.0
_PAGE: Final = 10_000
_IN_USE: Final = "That database is in use already: name an empty one."
_encode: Final = msgspec.msgpack.Encoder().encode

_DIGESTS: Final = """
SELECT conversation, count(*), sha256(string_agg(sha256(record), ''::bytea ORDER BY seq))
FROM messages.entries WHERE conversation = ANY ($1::bigint[]) GROUP BY conversation
"""
_HEADS: Final = """
INSERT INTO messages.heads AS h
SELECT w.c, 1, w.l, w.t, w.d, w.a, w.s, w.i, w.b
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::date[], $5::boolean[], $6::boolean[],
    $7::boolean[], $8::bytea[]) AS w (c, l, t, d, a, s, i, b)
ON CONFLICT (conversation) DO UPDATE SET version = h.version + 1, last = excluded.last,
    touched = greatest(h.touched, excluded.touched), begun = least(h.begun, excluded.begun),
    owes_ai = excluded.owes_ai, owes_assignment = excluded.owes_assignment,
    owes_index = excluded.owes_index, head = excluded.head
"""
_DEVICES: Final = """
INSERT INTO messages.devices SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[],
    $4::bigint[])
ON CONFLICT (conversation, device) DO UPDATE SET n = excluded.n, seq = excluded.seq
"""
_READS: Final = """
INSERT INTO messages.reads SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
ON CONFLICT (conversation) DO UPDATE SET visitor = excluded.visitor, agents = excluded.agents
"""


class Moved(Struct):
    """A conversation as it is now, and those of its entries that are not there yet."""

    head: Head
    records: list[tuple[int, bytes]]
    devices: list[tuple[bytes, int, int]]
    owes_index: bool


class LogImport:
    """One move into one database. Make it with `begin`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._months: set[str] = set()

    @classmethod
    async def begin(cls, url: str, source: str, *, is_used: bool = False) -> "LogImport":
        """Connect, and note the move of `source`, an id of the installation that moves; or go on
        with it. Raises `StartError` if there is anything else in the log, or elsewhere in the
        database (`is_used`)."""
        connections = Connections(url, size=1, deadline_s=_DEADLINE_S)
        log = cls(connections)
        try:
            await connections.open()
            ((has_log,),) = await connections.fetch(
                "SELECT to_regclass('messages.layout') IS NOT NULL"
            )
            if is_used and not has_log:
                raise StartError(_IN_USE)
            await open_schema(connections, moving=source)
            ((moving, has_heads),) = await connections.fetch(
                "SELECT moving, EXISTS (SELECT FROM messages.heads) FROM messages.layout"
            )
            if moving != source and (moving or has_heads or is_used):
                raise StartError(
                    "Another installation is being moved into that database." if moving else _IN_USE
                )
            await connections.fetch("UPDATE messages.layout SET moving = $1", source)
        except BaseException:
            await log.close()
            raise
        return log

    async def lasts(self) -> dict[int, int]:
        """What is there: the last `seq` of each conversation."""
        lasts: dict[int, int] = {}
        after = 0
        while True:
            rows = await self._connections.fetch(
                "SELECT conversation, last FROM messages.heads WHERE conversation > $1 "
                "ORDER BY conversation LIMIT $2",
                after, _PAGE,
            )  # fmt: skip
            lasts.update((row[0], row[1]) for row in rows)
            if len(rows) < _PAGE:
                return lasts
            after = rows[-1][0]

    async def put(self, moved: Sequence[Moved]) -> None:
        """Bring these, all or nothing. Raises `StorageError`, also when what is read back is not
        what was sent."""
        async with self._connections.take() as connection, connection.transaction():
            today = await connection.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
            rows, begun, times = [], [], []
            for one in moved:
                days = []
                for seq, record in one.records:
                    time = entry_of(record).time
                    days.append(min(_day(time), today))
                    rows.append((one.head.conversation, seq, days[-1], record))
                begun.append(min(days, default=today))
                times.append(entry_of(one.records[-1][1]).time if one.records else 0)
            await self._make_months(connection, {row[2] for row in rows})
            await connection.copy_records_to_table(
                "entries", schema_name="messages",
                columns=("conversation", "seq", "stored", "record"), records=rows,
            )  # fmt: skip
            await self._put_heads(connection, moved, begun, times)
            await self._check(connection, moved)

    async def _put_heads(
        self,
        connection: Connection,
        moved: Sequence[Moved],
        begun: list[dt.date],
        times: list[int],
    ) -> None:
        heads = [one.head for one in moved]
        conversations = [head.conversation for head in heads]
        await connection.fetch(
            _HEADS, conversations, [head.last for head in heads], times, begun,
            [owes(head, Role.AI) for head in heads],
            [owes(head, Role.ASSIGNMENT) for head in heads],
            [one.owes_index for one in moved], [_encode(head) for head in heads],
        )  # fmt: skip
        let_go = [(c, *d) for c, one in zip(conversations, moved, strict=True) for d in one.devices]
        if let_go:
            await connection.fetch(_DEVICES, *map(list, zip(*let_go, strict=True)))
        marks = [(h.conversation, h.read_visitor, h.read_agent) for h in heads]
        await connection.fetch(_READS, *map(list, zip(*marks, strict=True)))

    async def _check(self, connection: Connection, moved: Sequence[Moved]) -> None:
        """Read back what was sent just now."""
        for one in moved:
            if not one.records:
                continue
            first, last = one.records[0][0], one.records[-1][0]
            found = await connection.fetchval(
                "SELECT sha256(string_agg(sha256(record), ''::bytea ORDER BY seq)) "
                "FROM messages.entries WHERE conversation = $1 AND seq BETWEEN $2 AND $3",
                one.head.conversation, first, last,
            )  # fmt: skip
            if found != digest(record for _, record in one.records):
                raise StorageError(
                    f"Conversation {one.head.conversation} did not arrive as it was sent."
                )

    async def _make_months(self, connection: Connection, days: Iterable[dt.date]) -> None:
        for begin in sorted({day.replace(day=1) for day in days}):
            if str(begin) not in self._months:
                await make_month(connection, begin)
                self._months.add(str(begin))

    async def digests(self, conversations: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        """How many entries each conversation has there, and their digest."""
        rows = await self._connections.fetch(_DIGESTS, list(conversations))
        return {row[0]: (row[1], row[2]) for row in rows}

    async def heads(self, conversations: Sequence[int]) -> dict[int, bytes]:
        """The heads that are there, as they are stored."""
        rows = await self._connections.fetch(
            "SELECT conversation, head FROM messages.heads WHERE conversation = ANY ($1::bigint[])",
            list(conversations),
        )
        return {row[0]: row[1] for row in rows}

    async def totals(self) -> tuple[int, int, int]:
        """Conversations, the sum of their last `seq`s, and entries."""
        ((conversations, lasts, entries),) = await self._connections.fetch(
            "SELECT count(*), coalesce(sum(last), 0)::bigint, "
            "(SELECT count(*) FROM messages.entries) FROM messages.heads"
        )
        return conversations, lasts, entries

    async def finish(self) -> None:
        """The move is done: from now on processes open this log."""
        await self._connections.fetch("ANALYZE messages.heads")
        await self._connections.fetch("UPDATE messages.layout SET moving = ''")

    async def close(self) -> None:
        """Let go of the connection. What was brought stays, for the next run."""
        await self._connections.close()


def digest(records: Iterable[bytes]) -> bytes:
    """The same digest as the database makes of these records."""
    total: Any = hashlib.sha256()
    for record in records:
        total.update(hashlib.sha256(record).digest())
    return bytes(total.digest())


def _day(time_ms: int) -> dt.date:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).date()
