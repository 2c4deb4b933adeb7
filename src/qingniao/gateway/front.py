"""One port for WebSockets and HTTP. Owns the first bytes of every connection.

It reads the request head, then hands the transport to picows (`/ws`) or to uvicorn (all else)
and is out of the way: no cost per message. Rule: this is the only file that touches non-public
classes of either (`picows.picows.WSProtocol`, uvicorn's protocol and `ServerState`), so both are
pinned exactly in `pyproject.toml`.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final

from picows import WSUpgradeRequest
from picows.common import WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]
from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from qingniao.gateway.connection import Connection
from qingniao.gateway.handshake import answer
from qingniao.gateway.hub import Hub

__all__ = ["Front"]

_HEAD_MAX: Final = 16_384
_READ_BUFFER: Final = 2_048
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"
_UPGRADE: Final = re.compile(rb"^upgrade:[ \t]*websocket[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
# A LoggerAdapter keeps picows from making one logger per connection.
_picows_log: Final = logging.LoggerAdapter(logging.getLogger("picows"), {})


class Front:
    """Makes the protocol of each accepted connection. Shares one uvicorn state for all of them."""

    def __init__(self, hub: Hub, app: Any) -> None:
        self._hub = hub
        self._http = UvicornConfig(
            app, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None,
            proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=75,
        )  # fmt: skip
        self._http.load()
        self.http_state = ServerState()

    def __call__(self) -> asyncio.Protocol:
        """Protocol factory for `loop.create_server`."""
        return _Peek(self, self._hub.services.config.head_timeout_ms / 1000)

    def websocket(self) -> Any:
        """A picows protocol whose listener is a `Connection`."""
        limit = self._hub.services.wire.frame_bytes
        return WSProtocol(
            None, None, False, self._listen, _picows_log,
            False,  # disconnect_on_exception: our handlers answer with `bye`
            self._hub.services.config.head_timeout_ms / 1000,
            False, 0, 0, WSAutoPingStrategy.PING_WHEN_IDLE,  # the heart beats for all
            False,  # enable_auto_pong: `Connection` answers, also between fragments
            # A little above ours, so that TOO_LARGE can be said in our own words.
            limit * 4, None, _READ_BUFFER,
        )  # fmt: skip

    def http(self) -> HttpToolsProtocol:
        """A uvicorn protocol."""
        return HttpToolsProtocol(self._http, self.http_state, {})

    def _listen(self, request: WSUpgradeRequest) -> Any:
        codec, response = answer(request)
        connection: Connection | None = None
        if codec is not None:
            services = self._hub.services
            limits = services.wire.limits(agent=False)
            connection = Connection(self._hub, codec, limits, services.clock())
        return WSUpgradeResponseWithListener(response, connection)


class _Peek(asyncio.Protocol):
    """Collects the request head, bounded in bytes and time, and hands over."""

    def __init__(self, front: Front, timeout_s: float) -> None:
        self._front = front
        self._head = bytearray()
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._timeout_s, transport.abort)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        head = self._head
        head += data
        transport = self._transport
        if transport is None:
            return
        end = head.find(b"\r\n\r\n", max(0, len(head) - len(data) - 3))
        if end > _HEAD_MAX or (end < 0 and len(head) > _HEAD_MAX):
            self._transport = None
            transport.write(_TOO_LARGE)
            transport.close()
            return
        if end < 0:
            return
        self._stop()
        self._transport = None
        if _is_websocket(head):
            self._hand_over(transport, self._front.websocket, head)
        else:
            protocol = self._front.http()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            protocol.data_received(bytes(head))
        self._head = bytearray()

    def _hand_over(
        self, transport: asyncio.Transport, make: Callable[[], Any], head: bytearray
    ) -> None:
        protocol = make()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        rest = memoryview(head)
        while len(rest) and not transport.is_closing():
            room = protocol.get_buffer(len(rest))
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            protocol.buffer_updated(size)
            rest = rest[size:]

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_websocket(head: bytearray) -> bool:
    line, _, fields = bytes(head).partition(b"\r\n")
    path = line.split(b" ")[1].partition(b"?")[0] if line.count(b" ") >= 2 else b""
    return path == b"/ws" and _UPGRADE.search(fields.partition(b"\r\n\r\n")[0]) is not None
