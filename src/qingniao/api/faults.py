"""How a request fails: one shape for every error, one class for every reason.

Rule: what is not ours to tell (a stack, a driver's words) becomes `internal` and goes to the log.
"""

from typing import Any, ClassVar, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from qingniao.errors import Busy, QingniaoError, StorageError
from qingniao.log import get_logger

__all__ = [
    "BadInput",
    "BadUpload",
    "Csrf",
    "DraftConflict",
    "FlowUnsound",
    "FlowUsed",
    "HttpFault",
    "LoginTaken",
    "MustChangePassword",
    "NotAllowed",
    "NotFound",
    "SignedOut",
    "TeamTaken",
    "TimedOut",
    "TooLarge",
    "TooManyTries",
    "TypeNotAllowed",
    "WeakPassword",
    "WrongPassword",
    "answer_to",
    "fault_body",
]

log = get_logger("api")


class HttpFault(QingniaoError):
    """This request cannot be answered."""

    status: ClassVar[int] = 400
    field: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message)
        self.at = field or self.field


class BadInput(HttpFault):
    """Something in the request has the wrong form."""

    code = "bad_input"


class BadUpload(HttpFault):
    """The upload broke off or is not a form with one part named file."""

    code = "bad_upload"
    field = "file"


class SignedOut(HttpFault):
    """Nobody is signed in here."""

    code = "signed_out"
    status = 401


class WeakPassword(HttpFault):
    """This password is too easy to guess."""

    code = "weak_password"


class WrongPassword(HttpFault):
    """The login or the password is wrong."""

    code = "wrong_password"
    status = 401
    field = "password"


class Csrf(HttpFault):
    """The header X-Qingniao: 1 is missing."""

    code = "csrf"
    status = 403


class MustChangePassword(HttpFault):
    """The one-time password has to be changed first."""

    code = "must_change_password"
    status = 403


class NotAllowed(HttpFault):
    """This takes an administrator."""

    code = "not_allowed"
    status = 403


class NotFound(HttpFault):
    """There is no such thing, or it is not for you."""

    code = "not_found"
    status = 404


class TimedOut(HttpFault):
    """The request did not arrive in time."""

    code = "timeout"
    status = 408
    temporary = True


class DraftConflict(HttpFault):
    """Somebody else has changed this draft meanwhile: load it again, and then change it."""

    code = "draft_changed"
    status = 409


class FlowUnsound(HttpFault):
    """This flow has problems and cannot be published; `field` is the node."""

    code = "flow_unsound"
    status = 409


class FlowUsed(HttpFault):
    """This flow is needed and cannot be removed."""

    code = "flow_used"
    status = 409


class LoginTaken(HttpFault):
    """Somebody has this login already."""

    code = "login_taken"
    status = 409
    field = "login"


class TeamTaken(HttpFault):
    """There is a team of this name already."""

    code = "team_taken"
    status = 409
    field = "name"


class TooLarge(HttpFault):
    """This is larger than allowed."""

    code = "too_large"
    status = 413


class TypeNotAllowed(HttpFault):
    """Files of this kind are not taken."""

    code = "not_allowed"
    status = 415
    field = "file"


class TooManyTries(HttpFault):
    """Too many tries; wait a little."""

    code = "too_many_tries"
    status = 429
    temporary = True

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__()
        self.retry_after_ms = retry_after_ms


class _Error(Struct, frozen=True, omit_defaults=True, kw_only=True):
    code: str
    text: str
    temporary: bool
    field: str | None = None


class _Body(Struct, frozen=True):
    error: _Error


def fault_body(code: str, text: str, *, temporary: bool, field: str | None = None) -> bytes:
    """The one shape, encoded."""
    error = _Error(code=code, text=text, temporary=temporary, field=field)
    return msgspec.json.encode(_Body(error))


_LEFT: Final = "client disconnected"
"""What the framework says of one who goes in the middle of a body."""


def answer_to(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """The response to any exception."""
    if isinstance(exc, ValidationException):
        text, field = _invalid(exc)
        return _response(400, fault_body("bad_input", text, temporary=False, field=field))
    if isinstance(exc, HTTPException):
        return _foreign(exc)
    if isinstance(exc, RecursionError):
        log.warning("nested_too_deeply", method=request.method, route=_route(request))
        text = "The body is nested too deeply."
        return _response(400, fault_body("bad_input", text, temporary=False))
    if not isinstance(exc, QingniaoError):
        log.error("request_failed", exc=exc, method=request.method, route=_route(request))
        text = "This is our fault; the server's log says more."
        return _response(500, fault_body("internal", text, temporary=True))
    status, field = _placed(exc)
    if status >= 500:
        log.error("request_failed", exc=exc, method=request.method, route=_route(request))
    headers = {}
    if isinstance(exc, Busy | TooManyTries):
        headers["Retry-After"] = str(-(-exc.retry_after_ms // 1000))
    body = fault_body(exc.code, str(exc), temporary=exc.temporary, field=field)
    return _response(status, body, headers)


def _placed(exc: QingniaoError) -> tuple[int, str | None]:
    match exc:
        case HttpFault():
            return exc.status, exc.at
        case Busy():
            return 503, None
        case StorageError():
            return 507, None
        case _:
            return 500, None


def _foreign(exc: HTTPException) -> Response[bytes]:
    """The framework's own refusals, in our words."""
    code, text = {
        404: (NotFound.code, str(NotFound())),
        405: ("method_not_allowed", "This address does not take that method."),
        413: (TooLarge.code, str(TooLarge())),
        415: ("unsupported", "The body has to be JSON."),
    }.get(exc.status_code, (BadInput.code, str(BadInput())))
    if exc.status_code >= 500:
        code, text = "internal", "This is our fault; the server's log says more."
        if _LEFT in exc.detail:
            # A page that was left while it asked: nobody's fault, and nobody reads the answer.
            log.info("client_left")
        else:
            log.error("request_failed", exc=exc)
    body = fault_body(code, text, temporary=exc.status_code >= 500)
    return _response(exc.status_code, body, exc.headers)


def _invalid(exc: ValidationException) -> tuple[str, str | None]:
    extra = exc.extra
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        key = extra[0].get("key")
        message = str(extra[0].get("message", "")) or str(BadInput())
        return message, str(key) if key else None
    return str(BadInput()), None


def _route(request: Request[Any, Any, Any]) -> str:
    # The template, not the address: file ids are secrets and visitors' ids are personal.
    return str(request.scope.get("path_template", ""))


def _response(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(body, status_code=status, media_type="application/json", headers=headers or {})
