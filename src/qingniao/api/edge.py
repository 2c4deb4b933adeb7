"""What every request meets before the application: time limits, policies, foreign origins, pages.

Plain ASGI around the application. Rule: no answer leaves without the security headers, and no
client keeps a request open by sending slowly.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from litestar.enums import ScopeType

from qingniao.api.faults import BadInput, NotFound, TimedOut, fault_body
from qingniao.api.web_folder import Page, WebFolder

if TYPE_CHECKING:
    from litestar.types import (
        ASGIApp,
        HTTPScope,
        Message,
        Receive,
        ReceiveMessage,
        Scope,
        Send,
    )

__all__ = ["Edge"]

PIECE_TIMEOUT_S: Final = 15.0
"""The longest silence within a body."""
BODY_TIMEOUT_S: Final = 300.0
"""The longest body: the largest file over a poor mobile line."""

_APPLICATION: Final = ("/api/", "/files/")
_APPLICATION_EXACT: Final = frozenset({"/healthz", "/metrics"})
_PUBLIC: Final = frozenset({"/api/v1/visitors", "/api/v1/site", "/api/v1/files"})
"""Called by widgets on other people's pages: with a token, never with a cookie."""

Header = tuple[bytes, bytes]

_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_UNLESS_SAID: Final[tuple[Header, ...]] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_CORS: Final[tuple[Header, ...]] = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Final[tuple[Header, ...]] = (
    *_CORS,
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, x-qingniao"),
    (b"access-control-max-age", b"86400"),
)


class Edge:
    """An ASGI application: the pages itself, everything else by `inner`."""

    def __init__(
        self,
        inner: "ASGIApp",
        pages: WebFolder,
        *,
        piece_timeout_s: float = PIECE_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._inner = inner
        self._pages = pages
        self._piece_timeout_s = piece_timeout_s
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        public = path.rstrip("/") in _PUBLIC
        guarded = _guard(send, _CORS if public else ())
        if not path.startswith(_APPLICATION) and path not in _APPLICATION_EXACT:
            await self._serve_page(scope, guarded)
        elif public and method == "OPTIONS":
            await _answer(guarded, 204, _PREFLIGHT[1:])
        else:
            await self._inner(scope, self._patient(receive), guarded)

    def _patient(self, receive: "Receive") -> "Receive":
        """`receive` with limits, as long as there is more of the body to come."""
        deadline: float | None = None
        done = False

        async def limited() -> "ReceiveMessage":
            nonlocal deadline, done
            if done:
                return await receive()
            now = asyncio.get_running_loop().time()
            deadline = deadline or now + self._body_timeout_s
            try:
                async with asyncio.timeout(min(self._piece_timeout_s, max(0, deadline - now))):
                    message = await receive()
            except TimeoutError as exc:
                raise TimedOut from exc
            done = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        return limited

    async def _serve_page(self, scope: "HTTPScope", send: "Send") -> None:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(send, 405, "method_not_allowed", str(BadInput()))
        elif path in ("/", "/console", "/demo"):
            target = b"/demo/" if path == "/demo" else b"/console/"
            await _answer(send, 307, ((b"location", target),))
        elif (page := await self._pages.page(path)) is None:
            await _refuse(send, 404, NotFound.code, str(NotFound()))
        else:
            await _send_page(page, scope, send)


def _guard(send: "Send", extra: tuple[Header, ...]) -> "Send":
    """`send` that adds the policies to the head of the answer."""

    async def guarded(message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            said = {name.lower() for name, _ in headers}
            headers += _ALWAYS
            headers += (header for header in (*_UNLESS_SAID, *extra) if header[0] not in said)
            message["headers"] = headers
        await send(message)

    return guarded


async def _send_page(page: Page, scope: "HTTPScope", send: "Send") -> None:
    asked = {name.lower(): value for name, value in scope["headers"]}
    headers = [(name.lower().encode(), value.encode()) for name, value in page.headers]
    headers.append((b"etag", page.etag.encode()))
    body = page.content
    if page.packed:
        headers.append((b"vary", b"accept-encoding"))
        if b"gzip" in asked.get(b"accept-encoding", b""):
            body = page.packed
            headers.append((b"content-encoding", b"gzip"))
    if asked.get(b"if-none-match") == page.etag.encode():
        await _answer(send, 304, tuple(headers))
        return
    headers.append((b"content-length", str(len(body)).encode()))
    await _answer(send, 200, tuple(headers), b"" if scope["method"] == "HEAD" else body)


async def _refuse(send: "Send", status: int, code: str, text: str) -> None:
    body = fault_body(code, text, temporary=False)
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    )
    await _answer(send, status, headers, body)


async def _answer(
    send: "Send", status: int, headers: tuple[Header, ...], body: bytes = b""
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})
