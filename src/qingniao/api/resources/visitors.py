"""Visitors: letting them in, and what agents write down about them.

`POST /visitors` signs a token and takes a number: no disk write but one in some hundred. Rule:
nothing is stored about somebody who never says anything.
"""

import secrets
from typing import Any, Final

import msgspec
from litestar import Request, Router, get, patch, post
from litestar.params import FromPath, JSONBody

from qingniao.api.bodies import (
    NewVisitor,
    NewVisitorAnswer,
    VisitorAnswer,
    VisitorChange,
    VisitorInfo,
)
from qingniao.api.faults import NotFound, TooManyTries
from qingniao.api.identity import Here, address_of, agents
from qingniao.auth import BadToken
from qingniao.auth.limits import network_of
from qingniao.storage.rows import Arrival, Visitor

__all__ = ["router", "visitor_info"]

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_CHARS: Final = 12
"""60 random bits: no two visitors share an id, and the first four characters tell a few apart."""


def visitor_info(visitor: Visitor) -> VisitorInfo:
    """A visitor as agents see them."""
    return msgspec.convert(visitor, VisitorInfo, from_attributes=True)


@post("/", status_code=200)
async def let_in(
    data: JSONBody[NewVisitor], request: Request[Any, Any, Any], services: Here
) -> NewVisitorAnswer:
    """A token for a new visitor, or a fresh one for a visitor who has one. Needs no cookie."""
    wait_ms = await services.visitor_limit.take(network_of(address_of(request, services)))
    if wait_ms:
        raise TooManyTries(wait_ms)
    now = services.clock()
    try:
        claim = services.signer.read_visitor(data.token, now)
        visitor, conversation = claim.visitor, claim.conversation
    except BadToken:
        visitor = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
        conversation = await services.conversation_numbers.take()
    await services.visitors.arrived(
        Arrival(
            visitor=visitor,
            conversation=conversation,
            at=now,
            locale=data.locale[:16],
            page=data.page[:1024],
            title=data.title[:256],
            referrer=data.referrer[:1024],
            browser=request.headers.get("user-agent", "")[:256],
        )
    )
    token, expires = services.signer.visitor(visitor, conversation, now)
    return NewVisitorAnswer(token, visitor, conversation, expires)


@get("/{visitor:str}", guards=[agents])
async def get_visitor(visitor: FromPath[str], services: Here) -> VisitorAnswer:
    """Somebody who has been here."""
    found = await services.visitors.get(visitor)
    if found is None:
        raise NotFound
    return VisitorAnswer(visitor_info(found))


@patch("/{visitor:str}", guards=[agents])
async def change_visitor(
    visitor: FromPath[str], data: JSONBody[VisitorChange], services: Here
) -> VisitorAnswer:
    """Write something down about a visitor. A new name is told to all who follow."""
    found = await services.visitors.get(visitor)
    if found is None:
        raise NotFound
    changes: dict[str, Any] = msgspec.to_builtins(data)
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "tags" in changes:
        # Twice the same tag says nothing more; the order is the agent's.
        changes["tags"] = tuple(dict.fromkeys(changes["tags"]))
    changed = await services.visitors.change(
        visitor, changes, conversation=found.conversation, now_ms=services.clock()
    )
    if changed.name != found.name:
        await services.rename(changed.conversation, changed.name)
    return VisitorAnswer(visitor_info(changed))


router = Router(
    path="/api/v1/visitors", route_handlers=[let_in, get_visitor, change_visitor], tags=["visitors"]
)
