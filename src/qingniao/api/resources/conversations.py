"""Lists of conversations, as agents see them.

The index decides which conversations a page holds and where the next one begins; what is shown of
each comes from where it stands now. Rule: a list equals what `state` frames add up to, also in the
moment between a message and its projection.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from qingniao.api.bodies import Conversation, ConversationList, ConversationView
from qingniao.api.faults import NotFound
from qingniao.api.identity import Here, Me, agents
from qingniao.api.resources.visitors import visitor_info
from qingniao.api.services import Services
from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Status
from qingniao.chat.view import summary
from qingniao.storage.rows import View, Visitor

__all__ = ["router"]

Before = Annotated[int | None, QueryParameter(ge=0, le=2**53)]
Limit = Annotated[int, QueryParameter(ge=1, le=100)]
Search = Annotated[str, QueryParameter(max_length=100)]


@get("/", guards=[agents])
async def list_conversations(
    me: Me,
    services: Here,
    view: FromQuery[View] = "mine",
    q: Search = "",
    before: Before = None,
    limit: Limit = 50,
) -> ConversationList:
    """One page of a view."""
    user = me.user.id
    page = await services.index.page(view, user=user, search=q.strip(), before=before, limit=limit)
    heads = await services.heads([row.id for row in page.rows])
    standing = [head for row in page.rows if (head := heads.get(row.id)) is not None]
    shown = await _shown(services, [head for head in standing if _belongs(view, head, user)])
    if view == "waiting":
        shown.sort(key=lambda item: (item.since, item.id))
    else:
        shown.sort(key=lambda item: (-item.time, item.id))
    return ConversationList(shown, await services.index.counts(user), page.more)


@get("/{conversation:int}", guards=[agents])
async def get_conversation(conversation: FromPath[int], services: Here) -> ConversationView:
    """One conversation and whom it is with."""
    head = (await services.heads([conversation])).get(conversation)
    if head is None:
        raise NotFound
    # The visitor's row follows with the projection, a moment after the first message.
    visitor = await services.visitors.get(head.visitor) or Visitor(
        id=head.visitor, conversation=conversation, name=head.visitor_name
    )
    (shown,) = await _shown(services, [head])
    return ConversationView(shown, visitor_info(visitor))


async def _shown(services: Services, heads: Sequence[Head]) -> list[Conversation]:
    online = await services.presence.online([f"v:{head.visitor}" for head in heads])
    return [
        msgspec.convert(summary(head, online=f"v:{head.visitor}" in online), Conversation)
        for head in heads
    ]


def _belongs(view: View, head: Head, user: int) -> bool:
    """Is it still in this view? It may have changed hands since it was projected."""
    match view:
        case "mine":
            return head.status == Status.OPEN and head.assignee == user
        case "waiting":
            return head.status == Status.WAITING
        case "all":
            return head.time > 0


router = Router(
    path="/api/v1/conversations",
    route_handlers=[list_conversations, get_conversation],
    tags=["conversations"],
)
