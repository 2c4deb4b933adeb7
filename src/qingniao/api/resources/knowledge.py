"""The knowledge base: reading it and importing into it.

Rule: an import reports every line it could not use and stores all the others at once; what is
trained or indexed from them follows in the background.
"""

import asyncio
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import QueryParameter

from qingniao.api.bodies import ImportProblem, ImportResult, KnowledgeItem, KnowledgeList
from qingniao.api.faults import TooLarge
from qingniao.api.identity import Here, admins, agents
from qingniao.api.multipart import FORM_BYTES, one_file
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.importing import MAX_FILE_BYTES, read_knowledge
from qingniao.storage.rows import KnowledgeEntry

__all__ = ["router"]


@get("/", guards=[agents])
async def list_entries(
    services: Here,
    q: Annotated[str, QueryParameter(max_length=100)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
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
    request_max_body_size=MAX_FILE_BYTES + FORM_BYTES,
)
async def import_entries(request: Request[Any, Any, Any], services: Here) -> ImportResult:
    """Add or replace entries from a file."""
    gathered = bytearray()

    async def gather(piece: bytes) -> None:
        if len(gathered) + len(piece) > MAX_FILE_BYTES:
            raise TooLarge
        gathered.extend(piece)

    name = await one_file(request, gather)
    imported = await asyncio.to_thread(read_knowledge, bytes(gathered), name)
    rows = [_row(entry) for entry in imported.entries]
    if rows:
        await services.knowledge.put(rows, services.clock())
        services.on_knowledge_changed()
    problems = [ImportProblem(problem.line, problem.text) for problem in imported.problems]
    return ImportResult(len(rows), problems)


def _row(entry: Entry) -> KnowledgeEntry:
    return KnowledgeEntry(
        id=entry.id,
        title=entry.title,
        question=entry.question,
        alternatives=entry.alternatives,
        answer=entry.answer,
        category=entry.category,
    )


router = Router(
    path="/api/v1/knowledge", route_handlers=[list_entries, import_entries], tags=["knowledge"]
)
