"""The site's settings: what a visitor sees first. Rule: there is always one, by default."""

import time
from collections.abc import Callable
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, lock, upsert
from qingniao.storage.models import site
from qingniao.storage.rows import Site

__all__ = ["SiteSettings", "put_within"]

LIFE_S: Final = 2.0
"""So long another process's change may go unseen; one read for everybody who asks meanwhile."""
_KEY: Final = "site"


class SiteSettings:
    """One `Site`, kept in memory: every visitor asks for it and it hardly ever changes."""

    def __init__(self, database: Database, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._timer = timer
        self._held: Site | None = None
        self._read_s = 0.0

    async def get(self) -> Site:
        """The settings stored last, or the default."""
        held = self._held
        if held is not None and (
            not self._database.is_shared or self._timer() - self._read_s < LIFE_S
        ):
            return held
        async with self._database.read() as connection:
            return self._hold(await _stored(connection))

    async def put(self, settings: Site) -> None:
        """Replace them; on disk when this returns."""
        async with self._database.write() as connection:
            await put_within(connection, settings)
        self._hold(settings)

    async def change(self, change: Callable[[Site], Site]) -> Site:
        """What `change` makes of the settings as they are now; nobody else's change is lost."""
        async with self._database.write() as connection:
            await lock(connection, "site")
            changed = change(await _stored(connection))
            await put_within(connection, changed)
        return self._hold(changed)

    def _hold(self, settings: Site) -> Site:
        self._held, self._read_s = settings, self._timer()
        return settings


async def put_within(connection: AsyncConnection, settings: Site) -> None:
    """Replace them as a part of the caller's transaction."""
    statement = upsert(connection, site)
    statement = statement.on_conflict_do_update(
        index_elements=[site.c.key], set_={"value": statement.excluded.value}
    )
    await connection.execute(statement, {"key": _KEY, "value": msgspec.to_builtins(settings)})


async def _stored(connection: AsyncConnection) -> Site:
    value = await connection.scalar(select(site.c.value).where(site.c.key == _KEY))
    return msgspec.convert(value, Site) if value else Site()
