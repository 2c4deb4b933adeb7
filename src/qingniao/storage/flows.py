"""Flows and their versions. Rule: a published version is never changed; editing makes a draft.

Two who edit at once get a conflict and not each other's work: whoever saves says which draft they
began from, and `updated` tells drafts apart.
"""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.errors import QingniaoError
from qingniao.storage.database import Database, lock
from qingniao.storage.models import flows
from qingniao.storage.rows import FlowRow

__all__ = ["DraftChanged", "Flows", "publish_within", "save_within"]

_FIELDS = FlowRow.__struct_fields__
_FLOW = [flows.c[name] for name in _FIELDS]


class DraftChanged(QingniaoError):
    """Somebody else has changed this draft meanwhile; load it again before saving."""

    code = "draft_changed"


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
        return await self._rows(query)

    async def all_published(self) -> list[FlowRow]:
        """Of each flow the version that conversations run on, the flow published last first."""
        newest = (
            select(flows.c.id, func.max(flows.c.version).label("version"))
            .where(flows.c.status == "published")
            .group_by(flows.c.id)
            .subquery()
        )
        on = (flows.c.id == newest.c.id) & (flows.c.version == newest.c.version)
        query = select(*_FLOW).join(newest, on).order_by(flows.c.updated.desc(), flows.c.id)
        return await self._rows(query)

    async def stamps(self) -> list[tuple[str, int, int]]:
        """Flow, version and time of every published version: cheap to ask for every few seconds."""
        query = (
            select(flows.c.id, flows.c.version, flows.c.updated)
            .where(flows.c.status == "published")
            .order_by(flows.c.id, flows.c.version)
        )
        async with self._database.read() as connection:
            return [(row[0], row[1], row[2]) for row in await connection.execute(query)]

    async def versions(self, flow: str) -> list[FlowRow]:
        """Of one flow, newest first."""
        query = select(*_FLOW).where(flows.c.id == flow).order_by(flows.c.version.desc())
        return await self._rows(query)

    async def version(self, flow: str, version: int) -> FlowRow | None:
        """One that was published."""
        query = select(*_FLOW).where(
            flows.c.id == flow, flows.c.version == version, flows.c.status == "published"
        )
        return next(iter(await self._rows(query)), None)

    async def save_draft(
        self,
        flow: str,
        *,
        name: str,
        graph: dict[str, Any],
        now_ms: int,
        began_from: int | None = None,
    ) -> FlowRow:
        """Replace the flow's draft; its version is one above the newest published one.

        `began_from`: the `updated` of the draft that was changed, 0 if there was none; `None`: do
        not ask. Raises `DraftChanged`.
        """
        async with self._database.write() as connection:
            return await save_within(
                connection, flow, name=name, graph=graph, now_ms=now_ms, began_from=began_from
            )

    async def publish(
        self, flow: str, now_ms: int, *, began_from: int | None = None
    ) -> FlowRow | None:
        """The draft becomes the version conversations run on. `None` if there is no draft.

        `began_from`: the `updated` of the draft that was looked at. Raises `DraftChanged`.
        """
        async with self._database.write() as connection:
            await lock(connection, f"flow {flow}")
            await _unchanged(connection, flow, began_from)
            return await publish_within(connection, flow, now_ms)

    async def roll_back(self, flow: str, version: int, now_ms: int) -> FlowRow | None:
        """Publish an earlier version again, under a new number; a draft is kept and numbered after
        it. `None` if that version was never published."""
        async with self._database.write() as connection:
            await lock(connection, f"flow {flow}")
            query = select(*_FLOW).where(flows.c.id == flow)
            rows = [_flow(row) for row in await connection.execute(query)]
            old = next((r for r in rows if r.version == version and r.status == "published"), None)
            if old is None:
                return None
            draft = next((row for row in rows if row.status == "draft"), None)
            if draft is not None:
                await connection.execute(_drafts(flow))
            number = max(row.version for row in rows if row.status == "published") + 1
            stamp = await _stamp(connection, now_ms)
            back = msgspec.structs.replace(old, version=number, updated=stamp)
            await connection.execute(insert(flows), msgspec.structs.asdict(back))
            if draft is not None:
                after = msgspec.structs.replace(draft, version=number + 1)
                await connection.execute(insert(flows), msgspec.structs.asdict(after))
            return back

    async def drop_draft(self, flow: str) -> bool:
        """Forget what was edited. False if nothing was."""
        async with self._database.write() as connection:
            await lock(connection, f"flow {flow}")
            return bool((await connection.execute(_drafts(flow))).rowcount)

    async def remove(self, flow: str) -> bool:
        """Forget a flow with all of its versions. False if there was none."""
        async with self._database.write() as connection:
            await lock(connection, f"flow {flow}")
            gone = await connection.execute(delete(flows).where(flows.c.id == flow))
            return bool(gone.rowcount)

    async def _newest(self, flow: str, status: str) -> FlowRow | None:
        query = (
            select(*_FLOW)
            .where(flows.c.id == flow, flows.c.status == status)
            .order_by(flows.c.version.desc())
            .limit(1)
        )
        return next(iter(await self._rows(query)), None)

    async def _rows(self, query: Any) -> list[FlowRow]:
        async with self._database.read() as connection:
            return [_flow(row) for row in await connection.execute(query)]


async def save_within(
    connection: AsyncConnection,
    flow: str,
    *,
    name: str,
    graph: dict[str, Any],
    now_ms: int,
    began_from: int | None = None,
) -> FlowRow:
    """`Flows.save_draft` as a part of the caller's transaction."""
    await lock(connection, f"flow {flow}")
    before = await _unchanged(connection, flow, began_from)
    await connection.execute(_drafts(flow))
    query = select(func.max(flows.c.version)).where(flows.c.id == flow)
    newest = int(await connection.scalar(query) or 0)
    row = FlowRow(
        id=flow,
        version=newest + 1,
        name=name,
        status="draft",
        graph=graph,
        # Two saves within a millisecond, or a clock that stepped back, are still two drafts.
        updated=max(now_ms, before + 1),
    )
    await connection.execute(insert(flows), msgspec.structs.asdict(row))
    return row


async def publish_within(connection: AsyncConnection, flow: str, now_ms: int) -> FlowRow | None:
    """`Flows.publish` as a part of the caller's transaction."""
    await lock(connection, f"flow {flow}")
    statement = (
        update(flows)
        .where(flows.c.id == flow, flows.c.status == "draft")
        .values(status="published", updated=await _stamp(connection, now_ms))
        .returning(*_FLOW)
    )
    row = (await connection.execute(statement)).first()
    return _flow(row) if row else None


async def _unchanged(connection: AsyncConnection, flow: str, began_from: int | None) -> int:
    """When the draft was saved, 0 without one. Raises `DraftChanged` if it is not the expected."""
    query = select(flows.c.updated).where(flows.c.id == flow, flows.c.status == "draft")
    before = int(await connection.scalar(query) or 0)
    if began_from is not None and began_from != before:
        raise DraftChanged
    return before


async def _stamp(connection: AsyncConnection, now_ms: int) -> int:
    """A time for what is published now: later than that of all others, also when the clock has
    stepped back, since the flow that was published last is the reception."""
    query = select(func.max(flows.c.updated)).where(flows.c.status == "published")
    return max(now_ms, int(await connection.scalar(query) or 0) + 1)


def _drafts(flow: str) -> Any:
    return delete(flows).where(flows.c.id == flow, flows.c.status == "draft")


def _flow(row: Row[Any]) -> FlowRow:
    return FlowRow(**dict(zip(_FIELDS, row, strict=True)))
