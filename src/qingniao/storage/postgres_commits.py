"""Appending to the message log in PostgreSQL, beside other processes that append at the same time.

Owns the heads as they were last seen, decides on them, and has the database append only if they
still are so; refuses to decide anything by itself (that is `chat.intake`). Rule: what `commit`
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
from qingniao.errors import StorageError
from qingniao.metrics import Reading
from qingniao.storage.postgres_connections import Connection, Connections, Row
from qingniao.storage.postgres_draft import Draft, Sent, Standing, forgotten_by, is_number

__all__ = ["DEVICES", "HEADS", "Commits", "numbers", "standing"]

HEADS: Final = """
SELECT h.conversation, h.version, h.touched, h.head, r.visitor, r.agents
FROM messages.heads h LEFT JOIN messages.reads r ON r.conversation = h.conversation
WHERE h.conversation = ANY ($1::bigint[])
"""
"""The heads of conversations, for `standing`."""
DEVICES: Final = """
SELECT d.conversation, d.device, d.n, d.seq FROM unnest($1::bigint[], $2::bytea[]) AS w (c, d)
JOIN messages.devices d ON d.conversation = w.c AND d.device = w.d
"""
"""What heads have let go of these devices."""

_FREE_TRIES: Final = 3
"""Attempts of a commit before the heads are locked while deciding."""
_LOCKED_TRIES: Final = 5
"""Attempts after that: a new conversation cannot be locked, only begun by somebody else."""
_SMOOTH: Final = 0.05
_OFTEN: Final = 0.2
"""Share of commits that others overtook from which on it is asked first what has changed."""
_OVERTAKEN: Final = "QN001"

_APPEND: Final = f"SELECT messages.append({', '.join(f'${n}' for n in range(1, 18))})"
_LOCKED_HEADS: Final = f"{HEADS} ORDER BY h.conversation FOR NO KEY UPDATE OF h"
_CHANGED_HEADS: Final = """
SELECT h.conversation, h.version, h.touched, h.head, r.visitor, r.agents
FROM unnest($1::bigint[], $2::bigint[]) AS w (c, v)
JOIN messages.heads h ON h.conversation = w.c AND h.version <> w.v
LEFT JOIN messages.reads r ON r.conversation = h.conversation
"""

_decode_head: Final = msgspec.msgpack.Decoder(Head).decode


class Commits:
    """The appending half of `messages_postgres.PostgresMessageLog`. One call at a time."""

    def __init__(self, connections: Connections, *, kept: int) -> None:
        """`kept`: heads in memory between two commits."""
        self._connections = connections
        self._kept = kept
        self._seen: dict[int, Standing] = {}
        self._often = 0.0
        self.overtaken = self.locked = 0

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
        conversations = numbers(intent.conversation for intent in intents)
        try:
            async with self._connections.take() as connection:
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
                    seen = {row[0]: standing(row) for row in rows}
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
                self._seen[row[0]] = standing(row)

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
            for row in await connection.fetch(DEVICES, [c for c, _ in forgotten], names):
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


class _Overtaken(Exception):
    """Somebody else began one of these conversations: roll back."""


def standing(row: Row) -> Standing:
    """Where a conversation stands, of a row of `HEADS`."""
    head = _decode_head(row[3])
    if row[4] is not None:
        head.read_visitor, head.read_agent = row[4], row[5]
    return Standing(row[1], row[2], head)


def numbers(conversations: Iterable[int]) -> list[int]:
    """Those that can be a conversation's, each once, ascending."""
    return sorted({c for c in conversations if is_number(c)})
