"""The listening socket of a process, and what came in by it and is HTTP. Owns both and their end.

Rule: who was accepted is answered: closing takes nobody in, and waits for requests under way.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from qingniao.config import GatewayConfig
from qingniao.errors import StartError
from qingniao.gateway.front import Front
from qingniao.metrics import Reading

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["HttpServer"]

_BACKLOG: Final = 4_096
"""Connections that the kernel holds until we accept them (policy: its own; clients try again)."""
_LOOK_S: Final = 0.01
_UNSENT_BYTES: Final = 131_072
"""Bytes that the system holds for a reader beyond what is on its way."""


class HttpServer:
    """An HTTP app on a port; with a hub, its WebSockets as well."""

    def __init__(self, config: GatewayConfig, app: Any, hub: "Hub | None" = None) -> None:
        self.front = Front(config, app, hub)
        self._server: asyncio.Server | None = None

    @property
    def is_listening(self) -> bool:
        """Can somebody come in?"""
        return self._server is not None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises `StartError` when that is not possible."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self.front, host, port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as exc:
            raise _start_error(host, port, exc) from exc
        for listening in self._server.sockets:
            _bound_unsent(listening)
        return int(self._server.sockets[0].getsockname()[1])

    def stop_listening(self) -> None:
        """Take nobody in any more. Idempotent."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            self.front.lobby.close()

    async def close(self, within_s: float) -> None:
        """Stop listening and wait until the requests under way are answered. Idempotent."""
        self.stop_listening()
        self.part()
        for _ in range(int(within_s / _LOOK_S)):
            if not self.front.http_state.connections:
                break
            await asyncio.sleep(_LOOK_S)

    def part(self) -> None:
        """Close the HTTP connections that are idle, and the others once they are answered."""
        for http in list(self.front.http_state.connections):
            http.shutdown()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield from self.front.readings()


def _bound_unsent(listening: socket.socket) -> None:
    """What a slow reader has not taken waits in the outbox, which is bounded, and not in the
    system's memory, where it may be four megabytes each. Accepted sockets inherit it."""
    with contextlib.suppress(AttributeError, OSError):  # not every system has it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)


def _start_error(host: str, port: int, exc: OSError) -> StartError:
    if exc.errno == errno.EADDRINUSE:
        return StartError(
            f"Port {port} is in use by another program. Stop that one, or set QINGNIAO_PORT "
            "to another port."
        )
    if exc.errno == errno.EACCES:
        return StartError(f"Port {port} needs more rights; choose one above 1023.")
    return StartError(f"Cannot listen on {host}:{port}: {exc.strerror or exc}.")
