"""The knowledge base: reading it and importing into it.

Rule: an import reports every line it could not use and stores all the others at once; what is
trained or indexed from them follows in the background.
"""

import asyncio
from typing import Annotated, Any, Final

from litestar import Request, Router, get, post
from litestar.params import Parameter

from qingniao.api.bodies import ImportProblem, ImportResult, KnowledgeItem, KnowledgeList
from qingniao.api.faults import TooLarge
from qingniao.api.identity import Here, admins, agents
from qingniao.api.multipart import FORM_BYTES, one_file
from qingniao.knowledge.entries import Entry, derive_id
from qingniao.storage.rows import KnowledgeEntry

__all__ = ["router"]

IMPORT_BYTES: Final = 10 * 1024 * 1024
PROBLEMS_SHOWN: Final = 100


@get("/", guards=[agents])
async def list_entries(
    services: Here,
    q: Annotated[str, Parameter(max_length=100)] = "",
    limit: Annotated[int, Parameter(ge=1, le=200)] = 50,
    offset: Annotated[int, Parameter(ge=0, le=2**31)] = 0,
) -> KnowledgeList:
    """Entries by category and title."""
    entries, total = await services.knowledge.page(search=q.strip(), limit=limit, offset=offset)
    items = [
        KnowledgeItem(
            id=entry.id,
            title=entry.title,
            question=entry.question,
            alternatives=entry.alternatives,
            answer=entry.answer,
            category=entry.category,
        )
        for entry in entries
    ]
    return KnowledgeList(items, total)


@post(
    "/import",
    guards=[admins],
    status_code=200,
    request_max_body_size=IMPORT_BYTES + FORM_BYTES,
)
async def import_entries(request: Request[Any, Any, Any], services: Here) -> ImportResult:
    """Add or replace entries from a file."""
    gathered = bytearray()

    async def gather(piece: bytes) -> None:
        if len(gathered) + len(piece) > IMPORT_BYTES:
            raise TooLarge
        gathered.extend(piece)

    await one_file(request, gather)
    read, problems = await asyncio.to_thread(services.read_knowledge, bytes(gathered))
    # The last one of an id wins, as it would if they came one after another.
    rows = {row.id: row for row in map(_row, read)}
    if rows:
        await services.knowledge.put(list(rows.values()), services.clock())
        services.on_knowledge_changed()
    shown = [ImportProblem(line, text) for line, text in problems[:PROBLEMS_SHOWN]]
    return ImportResult(len(rows), shown)


def _row(entry: Entry) -> KnowledgeEntry:
    return KnowledgeEntry(
        id=entry.id or derive_id(entry.question),
        title=entry.title,
        question=entry.question,
        alternatives=entry.alternatives,
        answer=entry.answer,
        category=entry.category,
    )


router = Router(
    path="/knowledge", route_handlers=[list_entries, import_entries], tags=["knowledge"]
)
