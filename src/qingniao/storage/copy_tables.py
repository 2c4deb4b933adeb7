"""The business tables of one database, made equal to those of another.

Owns the comparison, row by row and both ways; refuses to know what a row means. Rule: run again
when nothing changes any more, it finds nothing to do: that is the proof that both are the same.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Table,
    TypeDecorator,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, upsert
from qingniao.storage.models import blob_pieces, blobs, metadata, signing_keys, versions

__all__ = ["COPIED", "copy_tables", "count_rows"]

_PAGE: Final = 500

COPIED: Final = tuple(
    table
    for table in metadata.sorted_tables
    # Keys and contents have ways of their own; what was learnt is learnt anew.
    if table not in (blob_pieces, blobs, signing_keys, versions)
)
"""The tables that are copied, those that others refer to first."""


async def copy_tables(source: Database, target: Database) -> int:
    """Make the target's tables equal to the source's; returns how many rows differed. Raises
    `StorageError`; then some are done."""
    changed = 0
    for table in COPIED:
        changed += await _bring(source, target, table)
    for table in reversed(COPIED):
        changed += await _take_away(source, target, table)
    async with target.write() as connection:
        for table in COPIED:
            await _count_on(connection, table)
    return changed


async def count_rows(database: Database) -> dict[str, int]:
    """How many rows each of the copied tables has."""
    async with database.read() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in COPIED
        }


async def _bring(source: Database, target: Database, table: Table) -> int:
    """Rows that are new or different in the source."""
    changed = 0
    async for rows in _pages(source, table):
        wanted = [_fitting(table, row) for row in rows]
        keys = [_key(table, row) for row in wanted]
        async with target.write() as connection:
            there = await connection.execute(select(table).where(_among(table, keys)))
            known = {_key(table, found): found for found in map(_plain(table), there)}
            different = [
                row for row, key in zip(wanted, keys, strict=True) if known.get(key) != row
            ]
            if different:
                await _put(connection, table, different)
        changed += len(different)
    return changed


async def _put(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    statement = upsert(connection, table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column not in table.primary_key.columns.values()
    }
    keys = [column.name for column in table.primary_key]
    await connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=others)
        if others
        else statement.on_conflict_do_nothing(),
        rows,
    )


async def _take_away(source: Database, target: Database, table: Table) -> int:
    """Rows that the source has no longer."""
    gone = 0
    async for rows in _pages(target, table):
        keys = [_key(table, row) for row in map(_plain(table), rows)]
        async with source.read() as connection:
            there = await connection.execute(select(*table.primary_key).where(_among(table, keys)))
            kept = {tuple(row) for row in there}
        surplus = [key for key in keys if key not in kept]
        if surplus:
            async with target.write() as connection:
                await connection.execute(delete(table).where(_among(table, surplus)))
        gone += len(surplus)
    return gone


async def _pages(database: Database, table: Table) -> AsyncGenerator[Sequence[Row[Any]]]:
    """All rows in the order of their keys. No connection is held between two pages."""
    keys = list(table.primary_key)
    page = query = select(table).order_by(*keys).limit(_PAGE)
    while True:
        async with database.read() as connection:
            rows = (await connection.execute(page)).all()
        if not rows:
            return
        yield rows
        last = [rows[-1]._mapping[key] for key in keys]
        page = query.where(tuple_(*keys) > tuple_(*last) if len(keys) > 1 else keys[0] > last[0])


async def _count_on(connection: AsyncConnection, table: Table) -> None:
    """The database numbers new rows after those that were brought."""
    column: Column[Any] = next(iter(table.primary_key))
    if connection.dialect.name != "postgresql" or len(table.primary_key) > 1:
        return
    name = (
        await connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        if column.type.python_type is int
        else None
    )
    if name is not None:
        highest = await connection.scalar(select(func.max(column)))
        if highest is not None:
            await connection.execute(text("SELECT setval(:name, :highest)"),
                                     {"name": name, "highest": highest})  # fmt: skip


def _among(table: Table, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    columns = list(table.primary_key)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _plain(table: Table) -> Any:
    return lambda row: {column.name: row._mapping[column] for column in table.columns}


def _fitting(table: Table, row: Row[Any]) -> dict[str, Any]:
    """The row as PostgreSQL will have it: some texts of SQLite are too long for it."""
    fitted = {}
    for column in table.columns:
        value = row._mapping[column]
        kind = column.type
        if isinstance(kind, TypeDecorator) and (fit := kind.bind_processor(_DIALECT)) is not None:
            value = fit(value)
        fitted[column.name] = value
    return fitted


_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
