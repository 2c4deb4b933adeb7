"""The first start of an installation: an administrator, a site, something to try.

Rule: it happens once, as long as there is no account; the one-time password is returned to be
shown once and is stored nowhere in the clear.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from qingniao.auth import Passwords
from qingniao.auth.passwords import one_time_password
from qingniao.storage.database import Database, lock
from qingniao.storage.flows import publish_within, save_within
from qingniao.storage.knowledge import put_within as put_knowledge
from qingniao.storage.rows import FlowRow, KnowledgeEntry, Site
from qingniao.storage.site import put_within as put_site
from qingniao.storage.users import Users, add_within, count_within

__all__ = ["FirstRun", "first_run"]

ADMIN: Final = "admin"


class FirstRun(Struct, frozen=True):
    """The account that was made. Show it once, then forget it."""

    login: str
    password: str


async def first_run(
    database: Database,
    passwords: Passwords,
    *,
    now_ms: int,
    site: Site | None = None,
    knowledge: Sequence[KnowledgeEntry] = (),
    flows: Sequence[FlowRow] = (),
) -> FirstRun | None:
    """Furnish an empty installation; `None`, and nothing changed, if there is any account.

    All of it is one transaction: of several processes that start at once, one furnishes and gets
    the password to show, and a crash on the way leaves nothing.
    """
    if await Users(database).count():
        return None
    password = one_time_password()
    password_hash = await passwords.hash(password)
    async with database.write() as connection:
        await lock(connection, "first run")
        if await count_within(connection):
            return None
        if knowledge:
            await put_knowledge(connection, knowledge, now_ms)
        for flow in flows:
            await save_within(connection, flow.id, name=flow.name, graph=flow.graph, now_ms=now_ms)
            await publish_within(connection, flow.id, now_ms)
        await put_site(connection, site or Site())
        await add_within(
            connection,
            login=ADMIN,
            name="管理员",
            role="admin",
            password_hash=password_hash,
            now_ms=now_ms,
        )
    return FirstRun(ADMIN, password)
