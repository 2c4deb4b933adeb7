"""Signing in and out, one's own password, name and ticket.

Rule: a sign-in costs the same time whether the login exists or not, and every change of a password
ends all other sessions of the account.
"""

import secrets
from typing import Any

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import JSONBody

from qingniao.api.bodies import NewPassword, SignIn, Ticket, UserAnswer, UserChange, UserInfo
from qingniao.api.faults import TooManyTries, WeakPassword, WrongPassword
from qingniao.api.identity import (
    Here,
    Me,
    address_of,
    agents,
    is_secure,
    session_cookie,
    signed_in,
    unsigned,
)
from qingniao.auth import PasswordTooWeak, new_session_token, token_hash
from qingniao.auth.passwords import check_strength
from qingniao.storage.rows import SessionRow, User

__all__ = ["judge", "router", "user_info"]


def user_info(user: User) -> UserInfo:
    """An account as its owner and colleagues see it."""
    return msgspec.convert(user, UserInfo, from_attributes=True)


def judge(password: str, *, login: str, field: str) -> None:
    """Refuse a password that is too easy to guess, naming the input it came from."""
    try:
        check_strength(password, login=login)
    except PasswordTooWeak as exc:
        raise WeakPassword(str(exc), field=field) from exc


@post("/", guards=[unsigned], status_code=200)
async def sign_in(
    data: JSONBody[SignIn], request: Request[Any, Any, Any], services: Here
) -> Response[UserAnswer]:
    """Sign in; the answer sets the cookie."""
    address = address_of(request, services)
    wait_ms = await services.sign_in_limit.attempt(address, data.login)
    if wait_ms:
        raise TooManyTries(wait_ms)
    found = await services.users.credentials(data.login)
    user, stored = found if found is not None and not found[0].disabled else (None, None)
    if not await services.passwords.verify(stored, data.password) or user is None:
        raise WrongPassword
    await services.sign_in_limit.succeeded(address, data.login)
    if stored is not None and services.passwords.needs_rehash(stored):
        fresh = await services.passwords.hash(data.password)
        await services.users.set_password(user.id, fresh, must_change=user.must_change_password)
    now, policy, token = services.clock(), services.policy, new_session_token()
    session = SessionRow(
        id=secrets.token_urlsafe(12),
        user=user.id,
        created=now,
        last_seen=now,
        expires=now + policy.idle_ms,
        user_agent=request.headers.get("user-agent", "")[:256],
    )
    await services.sessions.add(session, token_hash(token))
    cookie = session_cookie(
        token, max_age_s=policy.absolute_ms // 1000, secure=is_secure(request, services)
    )
    return Response(UserAnswer(user_info(user)), cookies=[cookie])


@get("/", guards=[signed_in])
async def who_am_i(me: Me) -> UserAnswer:
    """The account that is signed in."""
    return UserAnswer(user_info(me.user))


@delete("/", guards=[signed_in])
async def sign_out(me: Me, request: Request[Any, Any, Any], services: Here) -> Response[None]:
    """End this session; its connections close."""
    await services.sessions.end(me.session.id)
    services.on_signed_out(me.user.id, [me.session.id])
    gone = session_cookie("", max_age_s=0, secure=is_secure(request, services))
    return Response(None, status_code=204, cookies=[gone])


@post("/password", guards=[signed_in], status_code=200)
async def change_password(
    data: JSONBody[NewPassword], me: Me, request: Request[Any, Any, Any], services: Here
) -> UserAnswer:
    """Change one's own password; all other sessions of the account end."""
    address = address_of(request, services)
    wait_ms = await services.sign_in_limit.attempt(address, me.user.login)
    if wait_ms:
        raise TooManyTries(wait_ms)
    found = await services.users.credentials(me.user.login)
    if not await services.passwords.verify(found[1] if found else None, data.current):
        raise WrongPassword(field="current")
    await services.sign_in_limit.succeeded(address, me.user.login)
    judge(data.new, login=me.user.login, field="new")
    if data.new == data.current:
        raise WeakPassword("The new password is the old one.", field="new")
    fresh = await services.passwords.hash(data.new)
    user = await services.users.set_password(me.user.id, fresh, must_change=False)
    ended = await services.sessions.end_all(me.user.id, keep=me.session.id)
    if ended:
        services.on_signed_out(me.user.id, ended)
    return UserAnswer(user_info(user or me.user))


@post("/ticket", guards=[agents], status_code=200)
async def make_ticket(me: Me, services: Here) -> Ticket:
    """What an agent says `hello` with, valid for one minute."""
    ticket, expires = services.signer.ticket(me.user.id, me.session.id, services.clock())
    return Ticket(ticket, expires)


@patch("/user", guards=[agents])
async def change_myself(data: JSONBody[UserChange], me: Me, services: Here) -> UserAnswer:
    """Change one's own name, language, or whether one takes new conversations."""
    changes: dict[str, Any] = msgspec.to_builtins(data)
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    user = await services.users.change(me.user.id, **changes) or me.user
    if changes:
        await services.on_user_changed(user)
    return UserAnswer(user_info(user))


router = Router(
    path="/api/v1/session",
    route_handlers=[sign_in, who_am_i, sign_out, change_password, make_ticket, change_myself],
    tags=["session"],
)
