"""The site's settings: what a visitor sees first. Rule: there is always one, by default."""

import msgspec
from sqlalchemy import select

from qingniao.storage.database import Database, upsert
from qingniao.storage.models import site
from qingniao.storage.rows import Site

__all__ = ["SiteSettings"]

_KEY = "site"


class SiteSettings:
    """One `Site`, kept in memory: every visitor asks for it and it hardly ever changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: Site | None = None

    async def get(self) -> Site:
        """The settings stored last, or the default."""
        if self._held is None:
            async with self._database.read() as connection:
                value = await connection.scalar(select(site.c.value).where(site.c.key == _KEY))
            self._held = msgspec.convert(value, Site) if value else Site()
        return self._held

    async def put(self, settings: Site) -> None:
        """Replace them; on disk when this returns."""
        async with self._database.write() as connection:
            statement = upsert(connection, site)
            statement = statement.on_conflict_do_update(
                index_elements=[site.c.key], set_={"value": statement.excluded.value}
            )
            await connection.execute(
                statement, {"key": _KEY, "value": msgspec.to_builtins(settings)}
            )
        self._held = settings
