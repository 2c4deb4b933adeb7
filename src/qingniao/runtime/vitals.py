"""`/healthz` and `/metrics` of a process that serves no other HTTP: gateways and workers.

Plain ASGI, so that such a process does not carry the web framework. Rule: it answers what the same
addresses of the HTTP interface answer, and never waits for a disk or a neighbour.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from qingniao import __version__
from qingniao.metrics import Metrics
from qingniao.runtime.health import Health

__all__ = ["Vitals"]

_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
_NOT_HERE: Final = {"error": {"code": "not_found", "message": "This process serves no such page."}}

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Scope]]
_Send = Callable[[_Scope], Awaitable[None]]


class Vitals:
    """An ASGI application over a process's health and metrics."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"", b"text/plain")
        elif scope["path"] == "/healthz":
            state = self._health.state
            degraded = list(self._health.degraded())
            said = {"status": state, "version": __version__, "degraded": degraded}
            body = msgspec.json.encode(said)
            await _answer(send, 200 if state == "ok" else 503, body, b"application/json")
        elif scope["path"] == "/metrics":
            await _answer(send, 200, await asyncio.to_thread(self._metrics.render), _TEXT)
        else:
            await _answer(send, 404, msgspec.json.encode(_NOT_HERE), b"application/json")


async def _answer(send: _Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
