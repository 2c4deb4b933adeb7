"""Who is asking: cookies, guards and the caller's address.

Rule: every resource names a guard. `signed_in` lets in whoever has a session, `agents` and `admins`
also hold back those who still have to change their password.
"""

from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import SkipValidation
from msgspec import Struct

from qingniao.api.faults import Csrf, MustChangePassword, NotAllowed, SignedOut
from qingniao.api.services import Services
from qingniao.auth import token_hash
from qingniao.storage.rows import SessionRow, User

__all__ = [
    "COOKIE",
    "Here",
    "Identity",
    "Me",
    "address_of",
    "admins",
    "agents",
    "check_intent",
    "identify",
    "is_secure",
    "me",
    "session_cookie",
    "signed_in",
    "unsigned",
]

COOKIE: Final = "qn_session"
INTENT_HEADER: Final = "x-qingniao"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class Identity(Struct, frozen=True):
    """Somebody with a session."""

    user: User
    session: SessionRow


Here = NamedDependency[SkipValidation[Services]]
Me = NamedDependency[SkipValidation[Identity]]


async def me(request: Request[Any, Any, Any]) -> Identity:
    """The one whom the guard let in."""
    identity = request.state["me"]
    assert isinstance(identity, Identity)  # noqa: S101  a route without its guard is our mistake
    return identity


async def unsigned(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Anybody, but a browser only on purpose."""
    check_intent(connection)


async def signed_in(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Anybody with a session."""
    check_intent(connection)
    services: Services = connection.app.state["services"]
    identity = await identify(connection, services)
    if identity is None:
        raise SignedOut
    connection.state["me"] = identity


async def agents(connection: Connection, handler: BaseRouteHandler) -> None:
    """Agents and administrators with a password of their own."""
    await signed_in(connection, handler)
    if connection.state["me"].user.must_change_password:
        raise MustChangePassword


async def admins(connection: Connection, handler: BaseRouteHandler) -> None:
    """Administrators with a password of their own."""
    await agents(connection, handler)
    if connection.state["me"].user.role != "admin":
        raise NotAllowed


def check_intent(connection: Connection) -> None:
    """Refuse a change without the header that no foreign page can send."""
    method = connection.scope.get("method", "")
    if method not in _SAFE and connection.headers.get(INTENT_HEADER) != "1":
        raise Csrf


async def identify(connection: Connection, services: Services) -> Identity | None:
    """The session of this request's cookie, if it is still good; now and then noted as used."""
    token = connection.cookies.get(COOKIE, "")
    if not 0 < len(token) <= 64:
        return None
    found = await services.sessions.find(token_hash(token))
    if found is None:
        return None
    session, user = found
    now = services.clock()
    policy = services.policy
    if user.disabled or policy.is_over(
        created=session.created, last_seen=session.last_seen, now_ms=now
    ):
        return None
    if now - session.last_seen >= policy.touch_ms:
        expires = min(now + policy.idle_ms, session.created + policy.absolute_ms)
        await services.sessions.touch(session.id, now, expires)
    return Identity(user, session)


def session_cookie(token: str, *, max_age_s: int, secure: bool) -> Cookie:
    """The cookie that names a session; with an empty token, the one that removes it."""
    return Cookie(
        key=COOKIE,
        value=token,
        path="/",
        max_age=max_age_s,
        httponly=True,
        secure=secure,
        samesite="strict",
    )


def address_of(connection: Connection, services: Services) -> str:
    """The caller's address. A header is believed only from a proxy that we were told about."""
    peer = connection.client.host if connection.client else ""
    if peer in services.trust.proxies:
        # The last entry is the one our own proxy wrote; those before it came from outside.
        forwarded = connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return forwarded or peer
    return peer


def is_secure(connection: Connection, services: Services) -> bool:
    """Did this request come over TLS, as far as the caller's browser is concerned?"""
    if services.trust.secure or connection.scope["scheme"] in ("https", "wss"):
        return True
    peer = connection.client.host if connection.client else ""
    proto = connection.headers.get("x-forwarded-proto", "")
    return peer in services.trust.proxies and proto == "https"
