"""What has been built of what: one row for each thing that many processes use and one builds.

`source` is stamped anew whenever what it is built from changes, in the same transaction; `version`
is what was built and announced last; `builder` may build until a time by the database's clock.
Rule: an announcement counts only while its source is still the newest, so that a builder that was
frozen and thawed announces nothing old.
"""

import secrets
from typing import Final

from msgspec import Struct
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database, now_ms, upsert
from qingniao.storage.models import versions

__all__ = ["KNOWLEDGE", "Version", "Versions", "touch"]

KNOWLEDGE: Final = "knowledge"
"""The index and the models that are made of the knowledge base."""


class Version(Struct, frozen=True):
    """Where one thing stands. All empty: nothing was ever stored."""

    version: str = ""
    """What was announced last."""
    sha256: str = ""
    """Of the announced content."""
    source: str = ""
    """Changes with every change of what it is built from."""
    built: str = ""
    """The source that `version` was built from; the same as `source` when it is up to date."""

    @property
    def is_current(self) -> bool:
        """Nothing has changed since it was built."""
        return bool(self.version) and self.built == self.source


class Versions:
    """Reading and announcing. One row, some hundred bytes: cheap enough to ask every second."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Version:
        """Where it stands."""
        columns = versions.c
        query = select(columns.version, columns.sha256, columns.source, columns.built)
        async with self._database.read() as connection:
            row = (await connection.execute(query.where(columns.name == name))).first()
        return Version(*row) if row else Version()

    async def claim(self, name: str, builder: str, *, for_ms: int) -> bool:
        """May `builder` build for so long? Asked again, it may for so long from now on; others may
        once that time is over. Without a stamp yet, the row is made."""
        async with self._database.write() as connection:
            await connection.execute(
                upsert(connection, versions).on_conflict_do_nothing(), _row(name)
            )
            now = await now_ms(connection)
            statement = (
                update(versions)
                .where(
                    versions.c.name == name,
                    or_(versions.c.builder == builder, versions.c.builds_until <= now),
                )
                .values(builder=builder, builds_until=now + for_ms)
            )
            return bool((await connection.execute(statement)).rowcount)

    async def release(self, name: str, builder: str) -> None:
        """Let others build. Nothing happens if it is not `builder`'s turn."""
        statement = update(versions).where(versions.c.name == name, versions.c.builder == builder)
        async with self._database.write() as connection:
            await connection.execute(statement.values(builder="", builds_until=0))

    async def announce(self, name: str, *, version: str, sha256: str, source: str) -> bool:
        """Whoever claimed it says: `version` was built from `source` and can be fetched. `False`,
        and nothing changed, if the source has changed meanwhile."""
        async with self._database.write() as connection:
            statement = (
                update(versions)
                .where(versions.c.name == name, versions.c.source == source)
                .values(version=version, sha256=sha256, built=source)
            )
            return bool((await connection.execute(statement)).rowcount)


async def touch(connection: AsyncConnection, name: str) -> None:
    """Within the transaction that changes what it is built from."""
    statement = upsert(connection, versions)
    statement = statement.on_conflict_do_update(
        index_elements=[versions.c.name], set_={"source": statement.excluded.source}
    )
    await connection.execute(statement, _row(name) | {"source": secrets.token_hex(8)})


def _row(name: str) -> dict[str, str | int]:
    texts = dict.fromkeys(("version", "sha256", "source", "built", "builder"), "")
    return {"name": name, "builds_until": 0, **texts}
