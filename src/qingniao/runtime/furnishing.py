"""What an empty installation begins with: the sample shop, so that there is something to try.

Owns the choice; refuses to write it (that is `storage.first_run`). Rule: samples become rows here
and nowhere else, and only while nobody has an account.
"""

import msgspec

from qingniao import samples
from qingniao.auth import Passwords
from qingniao.flow.samples import AFTER_SALES
from qingniao.flow.samples import read as read_sample_flow
from qingniao.knowledge.importing import read_knowledge
from qingniao.storage.database import Database
from qingniao.storage.first_run import FirstRun, first_run
from qingniao.storage.rows import FlowRow, KnowledgeEntry, Site

__all__ = ["furnish"]


async def furnish(database: Database, passwords: Passwords, *, now_ms: int) -> FirstRun | None:
    """The account that was made, or `None` if this is not the first start."""
    return await first_run(
        database,
        passwords,
        now_ms=now_ms,
        site=msgspec.convert(msgspec.structs.asdict(samples.site()), Site),
        knowledge=_knowledge(),
        flows=[_flow()],
    )


def _knowledge() -> list[KnowledgeEntry]:
    entries = read_knowledge(samples.knowledge_file(), "sample.json").entries
    return [KnowledgeEntry(**msgspec.structs.asdict(entry)) for entry in entries]


def _flow() -> FlowRow:
    flow = read_sample_flow(AFTER_SALES)
    graph = msgspec.to_builtins(flow)
    return FlowRow(id=AFTER_SALES, version=1, name="售后", status="published", graph=graph)
