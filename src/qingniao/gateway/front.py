"""One port for WebSockets and HTTP. Owns the first bytes of every connection.

It reads the request head, then hands the transport to picows (`/ws`, through the lobby) or to
uvicorn (all else) and is out of the way: no cost per message. Without a hub, a process that takes
no WebSockets, all goes to uvicorn, and what WebSockets need is not imported (`upgrade.py`). Rule:
this is the only file that touches non-public classes of uvicorn (its protocol and `ServerState`),
so it is pinned exactly in `pyproject.toml`.
"""

import asyncio
import re
import resource
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from qingniao.config import GatewayConfig
from qingniao.gateway.lobby import Lobby
from qingniao.metrics import Reading

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub
    from qingniao.gateway.upgrade import Upgrade

__all__ = ["Front"]

_HEAD_MAX: Final = 16_384
_TOO_LARGE: Final = "431 Request Header Fields Too Large"
_NO_ROOM: Final = "503 Service Unavailable"
_TOO_MANY: Final = "429 Too Many Requests"
_COME_BACK_MS: Final = 2_000
_FILES_KEPT: Final = 256
"""Of the files that the system allows, so many are for stores, logs and children."""
_NOTHING: Final = bytearray()
_UPGRADE: Final = re.compile(rb"^upgrade:[ \t]*websocket[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class Front:
    """Makes the protocol of each accepted connection. Shares one uvicorn state for all of them."""

    def __init__(self, config: GatewayConfig, app: Any, hub: "Hub | None" = None) -> None:
        self.config = config
        self.hub = hub
        self.lobby = Lobby(config.handshakes_waiting)
        self.loop = asyncio.get_running_loop()
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _FILES_KEPT
        self._most = min(config.connections, max(1, allowed))
        self._http = UvicornConfig(
            app, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None,
            proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=75,
            limit_concurrency=config.http_requests,
        )  # fmt: skip
        self._http.load()
        self.http_state = ServerState()
        self.head_timeout_s = config.head_timeout_ms / 1000
        self.upgrade = _upgrade_of(hub) if hub is not None else None
        self.peeking = 0
        self.refused = 0

    def __call__(self) -> asyncio.Protocol:
        """Protocol factory for `loop.create_server`."""
        return _Peek(self)

    @property
    def is_full(self) -> bool:
        """Are as many sockets open as may be?"""
        sockets = len(self.hub.connections) if self.hub is not None else 0
        return sockets + len(self.http_state.connections) + self.peeking > self._most

    def http(self) -> HttpToolsProtocol:
        """A uvicorn protocol."""
        return HttpToolsProtocol(self._http, self.http_state, {})

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        http = len(self.http_state.connections)
        yield "gauge", "http_connections", "Open HTTP connections.", http
        yield "counter", "sockets_refused", "Sockets refused for lack of room.", self.refused
        yield from self.lobby.readings()


def _upgrade_of(hub: "Hub") -> "Upgrade":
    from qingniao.gateway.upgrade import Upgrade

    return Upgrade(hub)


class _Peek(asyncio.Protocol):
    """Collects the request head, bounded in bytes and time, and hands over. uvloop holds it as long
    as the connection: what it has then is small."""

    __slots__ = ("_front", "_head", "_timer", "_transport")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._head = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._front.peeking += 1
        if self._front.is_full:
            self._front.refused += 1
            self._refuse(_NO_ROOM, _COME_BACK_MS)
            return
        front = self._front
        self._timer = front.loop.call_later(front.head_timeout_s, transport.abort)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        head = self._head
        if self._transport is None:
            return
        head += data
        end = head.find(b"\r\n\r\n", max(0, len(head) - len(data) - 3))
        if end > _HEAD_MAX or (end < 0 and len(head) > _HEAD_MAX):
            self._refuse(_TOO_LARGE)
        elif end >= 0:
            hub, upgrade = self._front.hub, self._front.upgrade
            if hub is not None and upgrade is not None and _is_websocket(head):
                self._enter_lobby(hub, upgrade)
            else:
                self._hand_to_http()

    def _hand_to_http(self) -> None:
        transport = self._leave()
        if transport is not None:
            protocol = self._front.http()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            protocol.data_received(bytes(self._head))
            self._head = _NOTHING

    def _enter_lobby(self, hub: "Hub", upgrade: "Upgrade") -> None:
        front, transport = self._front, self._transport
        if transport is None:
            return
        # Nothing is to be said before the handshake is answered.
        transport.pause_reading()
        peer = transport.get_extra_info("peername") or ("",)
        addresses = hub.addresses
        network = addresses.network(str(peer[0]), bytes(self._head))
        if wait_ms := addresses.refusal(network):
            self._refuse(_TOO_MANY, wait_ms)
        elif not front.lobby.enter(lambda is_open: self._upgrade(upgrade, network, is_open)):
            self._refuse(_NO_ROOM, _COME_BACK_MS)

    def _upgrade(self, upgrade: "Upgrade", network: str, is_open: bool) -> None:
        if not is_open:
            return self._refuse(_NO_ROOM, _COME_BACK_MS)
        transport = self._leave()
        if transport is None or transport.is_closing():
            return None  # it left while it waited
        protocol = upgrade.protocol(network)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        rest = memoryview(self._head)
        while len(rest) and not transport.is_closing():
            room = protocol.get_buffer(len(rest))
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            protocol.buffer_updated(size)
            rest = rest[size:]
        self._head = _NOTHING
        if not transport.is_closing():
            transport.resume_reading()
        return None

    def _refuse(self, status: str, retry_after_ms: int = 0) -> None:
        transport = self._leave()
        if transport is not None:
            retry = f"Retry-After: {-(-retry_after_ms // 1000)}\r\n" if retry_after_ms else ""
            answer = f"HTTP/1.1 {status}\r\n{retry}Content-Length: 0\r\nConnection: close\r\n\r\n"
            transport.write(answer.encode())
            transport.close()

    def _leave(self) -> asyncio.Transport | None:
        """Whatever happens to the socket now, it is not ours any more."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._front.peeking -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return transport


def _is_websocket(head: bytearray) -> bool:
    line, _, fields = bytes(head).partition(b"\r\n")
    path = line.split(b" ")[1].partition(b"?")[0] if line.count(b" ") >= 2 else b""
    return path == b"/ws" and _UPGRADE.search(fields.partition(b"\r\n\r\n")[0]) is not None
