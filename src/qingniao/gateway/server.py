"""The gateway of a process and its end. Owns heart, inbox and drain."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from qingniao.gateway.http_server import HttpServer
from qingniao.gateway.hub import Hub
from qingniao.gateway.ports import GatewayServices
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["GatewayServer"]

_GOODBYE_TURN_S: Final = 0.01
_GOODBYE_TURNS: Final = 150
"""How often it is looked whether every client has answered the closing handshake at the end: a
client that is busy with its own sends needs its time to read ours."""

_log: Final = get_logger("gateway")


class GatewayServer:
    """Serves WebSockets and the HTTP app on one port until `close`."""

    def __init__(self, services: GatewayServices, app: Any) -> None:
        self.hub = Hub(services)
        self._services = services
        self._http = HttpServer(services.config, app, self.hub)
        self._front = self._http.front
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises `StartError` when that is not possible."""
        port = await self._http.start(host, port)
        self._unsubscribe = self._services.fanout.subscribe(self.hub.deliver)
        loop = asyncio.get_running_loop()
        hub = self.hub
        jobs = (hub.heart.run(), hub.inbox.run(), hub.reads.run(), hub.gaps.run())
        self._tasks = [loop.create_task(job) for job in jobs]
        return port

    async def close(self, within_s: float | None = None) -> None:
        """Stop accepting, store what was taken, ask everybody to come back. Idempotent."""
        if not self._http.is_listening:
            return
        self._http.stop_listening()
        deadline = self._services.config.drain_ms / 1000 if within_s is None else within_s
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
        self._http.part()
        await self._goodbye()

    async def _goodbye(self) -> None:
        # Closing frames leave and are answered: no reader finds its socket reset before them.
        for _ in range(_GOODBYE_TURNS):
            if not self.hub.connections and not self._front.http_state.connections:
                break
            await asyncio.sleep(_GOODBYE_TURN_S)
        for connection in list(self.hub.connections):
            connection.cut()
        # One turn of the loop lets the last of HTTP leave, and what was cut be known.
        await asyncio.sleep(0.05)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield from self.hub.readings()
        yield from self._http.readings()
