"""The first start of an installation: an administrator, a site, something to try.

Rule: it happens once, as long as there is no account; the one-time password is returned to be
shown once and is stored nowhere in the clear.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from qingniao.auth import Passwords
from qingniao.auth.passwords import one_time_password
from qingniao.storage.database import Database
from qingniao.storage.flows import Flows
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.rows import FlowRow, KnowledgeEntry, Site
from qingniao.storage.site import SiteSettings
from qingniao.storage.users import Users

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

    The account comes last: a crash before it means that the next start begins again, and
    everything before it may be written twice.
    """
    users = Users(database)
    if await users.count():
        return None
    if knowledge:
        await KnowledgeEntries(database).put(knowledge, now_ms)
    for flow in flows:
        store = Flows(database)
        if await store.published(flow.id) is None:
            await store.save_draft(flow.id, name=flow.name, graph=flow.graph, now_ms=now_ms)
            await store.publish(flow.id, now_ms)
    await SiteSettings(database).put(site or Site())
    password = one_time_password()
    await users.add(
        login=ADMIN,
        name="管理员",
        role="admin",
        password_hash=await passwords.hash(password),
        now_ms=now_ms,
    )
    return FirstRun(ADMIN, password)
