"""Flows and their versions. Rule: a published version is never changed; editing makes a draft."""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, lock
from qingniao.storage.models import flows
from qingniao.storage.rows import FlowRow

__all__ = ["Flows", "publish_within", "save_within"]

_FIELDS = FlowRow.__struct_fields__
_FLOW = [flows.c[name] for name in _FIELDS]


class Flows:
    """Every version of every flow. What a graph means is the flow engine's business."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def published(self, flow: str) -> FlowRow | None:
        """The version that conversations run on."""
        return await self._newest(flow, "published")

    async def draft(self, flow: str) -> FlowRow | None:
        """The version that is being edited, if there is one."""
        return await self._newest(flow, "draft")

    async def all(self) -> list[FlowRow]:
        """Every version, by flow, newest first."""
        query = select(*_FLOW).order_by(flows.c.id, flows.c.version.desc())
        async with self._database.read() as connection:
            return [_flow(row) for row in await connection.execute(query)]

    async def save_draft(
        self, flow: str, *, name: str, graph: dict[str, Any], now_ms: int
    ) -> FlowRow:
        """Replace the flow's draft; its version is one above the newest published one."""
        async with self._database.write() as connection:
            return await save_within(connection, flow, name=name, graph=graph, now_ms=now_ms)

    async def publish(self, flow: str, now_ms: int) -> FlowRow | None:
        """The draft becomes the version conversations run on. `None` if there is no draft."""
        async with self._database.write() as connection:
            return await publish_within(connection, flow, now_ms)

    async def _newest(self, flow: str, status: str) -> FlowRow | None:
        query = (
            select(*_FLOW)
            .where(flows.c.id == flow, flows.c.status == status)
            .order_by(flows.c.version.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _flow(row) if row else None


async def save_within(
    connection: AsyncConnection, flow: str, *, name: str, graph: dict[str, Any], now_ms: int
) -> FlowRow:
    """`Flows.save_draft` as a part of the caller's transaction."""
    await lock(connection, f"flow {flow}")
    await connection.execute(delete(flows).where(flows.c.id == flow, flows.c.status == "draft"))
    query = select(func.max(flows.c.version)).where(flows.c.id == flow)
    newest = int(await connection.scalar(query) or 0)
    row = FlowRow(
        id=flow,
        version=newest + 1,
        name=name,
        status="draft",
        graph=graph,
        updated=now_ms,
    )
    await connection.execute(insert(flows), msgspec.structs.asdict(row))
    return row


async def publish_within(connection: AsyncConnection, flow: str, now_ms: int) -> FlowRow | None:
    """`Flows.publish` as a part of the caller's transaction."""
    await lock(connection, f"flow {flow}")
    statement = (
        update(flows)
        .where(flows.c.id == flow, flows.c.status == "draft")
        .values(status="published", updated=now_ms)
        .returning(*_FLOW)
    )
    row = (await connection.execute(statement)).first()
    return _flow(row) if row else None


def _flow(row: Row[Any]) -> FlowRow:
    return FlowRow(**dict(zip(_FIELDS, row, strict=True)))
