"""The listening socket and its end. Owns start, heart, inbox and drain."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from qingniao.errors import StartError
from qingniao.gateway.front import Front
from qingniao.gateway.hub import Hub
from qingniao.gateway.ports import GatewayServices
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["GatewayServer"]

_BACKLOG: Final = 4_096
"""Connections that the kernel holds until we accept them (policy: its own; clients try again)."""
_GOODBYE_TURN_S: Final = 0.01
_GOODBYE_TURNS: Final = 150
"""How often it is looked whether every client has answered the closing handshake at the end: a
client that is busy with its own sends needs its time to read ours."""
_UNSENT_BYTES: Final = 131_072
"""Bytes that the system holds for a reader beyond what is on its way."""

_log: Final = get_logger("gateway")


class GatewayServer:
    """Serves WebSockets and the HTTP app on one port until `close`."""

    def __init__(self, services: GatewayServices, app: Any) -> None:
        self.hub = Hub(services)
        self._services = services
        self._front = Front(self.hub, app)
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises `StartError` when that is not possible."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._front, host, port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as exc:
            raise _start_error(host, port, exc) from exc
        for listening in self._server.sockets:
            _bound_unsent(listening)
        self._unsubscribe = self._services.fanout.subscribe(self.hub.deliver)
        jobs = (self.hub.heart.run(), self.hub.inbox.run(), self.hub.reads.run())
        self._tasks = [loop.create_task(job) for job in jobs]
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop accepting, store what was taken, ask everybody to come back. Idempotent."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        self._front.lobby.close()
        deadline = self._services.config.drain_ms / 1000
        try:
            async with asyncio.timeout(deadline):
                await self._services.pipeline.drain()
        except TimeoutError:
            # What is not stored was not acked: its senders keep it.
            _log.warning("drain_gave_up", waiting=self._services.pipeline.depth)
        await self.hub.close(retry_after_ms=500)
        if self._unsubscribe is not None:
            self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for http in list(self._front.http_state.connections):
            http.shutdown()
        await self._goodbye()

    async def _goodbye(self) -> None:
        # Closing frames leave and are answered: no reader finds its socket reset before them.
        for _ in range(_GOODBYE_TURNS):
            if not self.hub.connections:
                break
            await asyncio.sleep(_GOODBYE_TURN_S)
        for connection in list(self.hub.connections):
            connection.cut()
        # One turn of the loop lets the last of HTTP leave, and what was cut be known.
        await asyncio.sleep(0.05)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield from self.hub.readings()
        yield from self._front.readings()


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
