"""How the message log lies in PostgreSQL: its tables, its one function, its months.

Owns the schema `messages`, apart from the business tables, and its version; refuses to touch a
row. Rule: the database's clock alone says in which month an entry is kept, whatever ours say.

`heads` has one row for each conversation, changed with every entry: what is asked for is a column,
the rest is `chat.head.Head` in MessagePack. `version` is new at each change: a writer compares it.
`entries` is cut into months by the day of storing; a record is packed as in RocksDB
(`message_keys.py`). Read marks have a table of their own: reading does not wait for writing.
"""

import datetime as dt
from typing import Final

from qingniao.errors import StartError
from qingniao.log import get_logger
from qingniao.storage.postgres_connections import Connection, Connections

__all__ = ["MONTHS_AHEAD", "make_month", "open_schema", "tend_months"]

MONTHS_AHEAD: Final = 2
"""Months made before they begin: the processes may be gone for so long and come back."""

_VERSION: Final = 2
"""2: what is thought new is not locked when appending."""
_LOCK: Final = 7_115_104_105
"""One process at a time changes the schema: the number of PostgreSQL's advisory lock for it."""
_LOCK_TIMEOUT: Final = "2s"
"""How long a change of months may hold up writers behind it; otherwise it is tried again later."""

_log: Final = get_logger("storage")

_TABLES: Final = """
CREATE TABLE messages.layout (version integer NOT NULL, moving text NOT NULL);
CREATE TABLE messages.heads (
    conversation bigint PRIMARY KEY,
    version bigint NOT NULL,
    last bigint NOT NULL,
    touched bigint NOT NULL,
    begun date NOT NULL,
    owes_ai boolean NOT NULL,
    owes_assignment boolean NOT NULL,
    owes_index boolean NOT NULL,
    head bytea NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX heads_owes_ai ON messages.heads (conversation) WHERE owes_ai;
CREATE INDEX heads_owes_assignment ON messages.heads (conversation) WHERE owes_assignment;
CREATE INDEX heads_owes_index ON messages.heads (conversation) WHERE owes_index;
CREATE TABLE messages.entries (
    conversation bigint NOT NULL,
    seq bigint NOT NULL,
    stored date NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (conversation, seq, stored)
) PARTITION BY RANGE (stored);
CREATE TABLE messages.devices (
    conversation bigint NOT NULL,
    device bytea NOT NULL,
    n bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (conversation, device)
);
CREATE TABLE messages.reads (
    conversation bigint PRIMARY KEY,
    visitor bigint NOT NULL,
    agents bigint NOT NULL
) WITH (fillfactor = 60);
CREATE TABLE messages.leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    term bigint NOT NULL,
    until timestamptz NOT NULL
);
"""

_APPEND: Final = """
CREATE OR REPLACE FUNCTION messages.append(
    fresh bigint, checked bigint[], checked_versions bigint[],
    conversations bigint[], versions bigint[], lasts bigint[], times bigint[],
    ai boolean[], assignment boolean[], bodies bytea[],
    entry_conversations bigint[], seqs bigint[], records bytea[],
    device_conversations bigint[], names bytea[], ns bigint[], device_seqs bigint[]
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
-- Appends what was decided on heads of these versions, which get the fresh one; returns the
-- conversations that others have changed since, and has done nothing then. A version of 0: nothing
-- was ever said there.
DECLARE
    today date;
    added bigint;
    changed bigint;
BEGIN
    -- Everybody locks in this order, so that nobody waits in a circle: what was thought new has no
    -- place in it. Somebody may have begun it since, and who decides behind locks holds others.
    PERFORM 1 FROM messages.heads h WHERE h.conversation = ANY (ARRAY(
            SELECT w.c FROM unnest(conversations, versions) AS w (c, v) WHERE w.v > 0))
        ORDER BY h.conversation FOR NO KEY UPDATE;
    RETURN QUERY SELECT h.conversation FROM unnest(checked, checked_versions) AS w (c, v)
        JOIN messages.heads h ON h.conversation = w.c WHERE h.version <> w.v;
    IF FOUND THEN
        RETURN;
    END IF;
    -- Not the time at which the transaction began: it may have waited.
    today := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    INSERT INTO messages.heads
        SELECT w.c, fresh, w.l, w.t, today, w.a, w.s, true, w.b
        FROM unnest(conversations, versions, lasts, times, ai, assignment, bodies)
            AS w (c, v, l, t, a, s, b)
        WHERE w.v = 0 ORDER BY w.c
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    UPDATE messages.heads h SET version = fresh, last = w.l, touched = w.t, owes_ai = w.a,
            owes_assignment = w.s, owes_index = true, head = w.b
        FROM unnest(conversations, versions, lasts, times, ai, assignment, bodies)
            AS w (c, v, l, t, a, s, b)
        WHERE h.conversation = w.c AND w.v > 0;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF added + changed <> cardinality(conversations) THEN
        RAISE EXCEPTION 'overtaken' USING ERRCODE = 'QN001';
    END IF;
    INSERT INTO messages.entries SELECT w.c, w.s, today, w.r
        FROM unnest(entry_conversations, seqs, records) AS w (c, s, r);
    IF cardinality(names) > 0 THEN
        INSERT INTO messages.devices SELECT w.c, w.d, w.n, w.s
            FROM unnest(device_conversations, names, ns, device_seqs) AS w (c, d, n, s)
            ON CONFLICT ON CONSTRAINT devices_pkey DO UPDATE SET n = excluded.n, seq = excluded.seq;
    END IF;
END $$;
"""

_MONTHS: Final = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'messages.entries'::regclass
"""
_TODAY: Final = "SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date"


async def open_schema(connections: Connections, *, moving: str | None = None) -> None:
    """Make the schema if it is not there. Raises `StartError` when a newer version has made it, or
    while an installation is being moved into it, if `moving` is not its id."""
    async with connections.take() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval("SELECT to_regclass('messages.layout')") is None:
            await connection.execute("CREATE SCHEMA IF NOT EXISTS messages")
            await connection.execute(_TABLES)
            await connection.execute(_APPEND)
            await connection.execute(
                "INSERT INTO messages.layout VALUES ($1, $2)", _VERSION, moving or ""
            )
            return
        ((found, mover),) = await connection.fetch("SELECT version, moving FROM messages.layout")
        if found < _VERSION:
            await connection.execute(_APPEND)
            await connection.execute("UPDATE messages.layout SET version = $1", _VERSION)
    if found > _VERSION:
        raise StartError(
            f"The message log was written by a newer version of Qingniao (layout {found}, this "
            f"version knows {_VERSION}): install that version, or restore a backup."
        )
    if mover and moving is None:
        raise StartError(
            "An installation is being moved into this database: let `qingniao migrate-store` end."
        )


async def tend_months(connections: Connections, retention_days: int) -> None:
    """Make the months that are coming, and drop those whose entries are all older than
    `retention_days` (0: none). Raises `StorageError`."""
    async with connections.take() as connection, connection.transaction():
        # Somebody else is at it.
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
            return
        await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        today: dt.date = await connection.fetchval(_TODAY)
        there = {row[0] for row in await connection.fetch(_MONTHS)}
        begin = today.replace(day=1)
        for _ in range(MONTHS_AHEAD + 1):
            end = _next_month(begin)
            if _name(begin) not in there:
                await _make(connection, begin, end)
            begin = end
        if retention_days:
            oldest = today - dt.timedelta(days=retention_days)
            for name in sorted(there):
                if _next_month(_begin(name)) <= oldest:
                    await connection.execute(f'DROP TABLE messages."{name}"')
                    _log.info("month_dropped", month=name)


async def make_month(connection: Connection, day: dt.date) -> None:
    """Make the month of a day, if it is not there: for entries from before this database."""
    begin = day.replace(day=1)
    there = {row[0] for row in await connection.fetch(_MONTHS)}
    if _name(begin) not in there:
        await _make(connection, begin, _next_month(begin))


async def _make(connection: Connection, begin: dt.date, end: dt.date) -> None:
    # Attached, not made in place: that would lock out everybody who reads or writes.
    name = _name(begin)
    await connection.execute(
        f"CREATE TABLE messages.{name} (LIKE messages.entries INCLUDING DEFAULTS)"
    )
    await connection.execute(
        f"ALTER TABLE messages.entries ATTACH PARTITION messages.{name} "
        f"FOR VALUES FROM ('{begin}') TO ('{end}')"
    )


def _name(begin: dt.date) -> str:
    return f"entries_{begin:%Y_%m}"


def _begin(name: str) -> dt.date:
    year, month = name.removeprefix("entries_").split("_")
    return dt.date(int(year), int(month), 1)


def _next_month(begin: dt.date) -> dt.date:
    return (begin + dt.timedelta(days=31)).replace(day=1)
