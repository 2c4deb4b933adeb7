"""When conversations that wait in a flow are to be woken. One row for each that waits for a time.

A row is a hint: whether the conversation still waits, its log says. It is written before what made
it wait, so a crash leaves a row too many and never one too few. Rule: the row of a conversation is
the time that was set last.
"""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from qingniao.storage.database import Database, among, upsert
from qingniao.storage.models import flow_timers

__all__ = ["FlowTimers"]


class FlowTimers:
    """The table. Times are milliseconds since 1970-01-01 UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, conversation: int, due_ms: int) -> None:
        """Wake this conversation then; an earlier time of it is forgotten."""
        row = {"conversation": conversation, "due": due_ms}
        async with self._database.write() as connection:
            statement = upsert(connection, flow_timers)
            statement = statement.on_conflict_do_update(
                index_elements=[flow_timers.c.conversation], set_={"due": statement.excluded.due}
            )
            await connection.execute(statement, row)

    async def due(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` conversations whose time has come, with their times, the longest due
        first."""
        query = (
            select(flow_timers.c.conversation, flow_timers.c.due)
            .where(flow_timers.c.due <= now_ms)
            .order_by(flow_timers.c.due, flow_timers.c.conversation)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [(row[0], row[1]) for row in await connection.execute(query)]

    async def put_off(self, conversations: Sequence[int], now_ms: int, until_ms: int) -> None:
        """Look at those that are due again only then: whoever should deal with them was told."""
        if not conversations:
            return
        async with self._database.write() as connection:
            statement = update(flow_timers).where(
                among(connection, flow_timers.c.conversation, conversations),
                flow_timers.c.due <= now_ms,
            )
            await connection.execute(statement.values(due=until_ms))

    async def drop(self, seen: Sequence[tuple[int, int]]) -> None:
        """Forget rows that still hold the time that was seen."""
        if not seen:
            return
        async with self._database.write() as connection:
            for conversation, due_ms in seen:
                await connection.execute(
                    delete(flow_timers).where(
                        flow_timers.c.conversation == conversation, flow_timers.c.due == due_ms
                    )
                )
