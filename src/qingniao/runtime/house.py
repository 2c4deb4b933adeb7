"""The rooms of this process, by its roles. Owns the order of their opening and of their end.

Rule: a role that is not asked for is not imported; a gateway carries no web framework and a worker
no sockets.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qingniao.config import Config
from qingniao.log import get_logger
from qingniao.runtime.engines import Engines
from qingniao.runtime.foundation import Foundation
from qingniao.runtime.roles import ALL, ServeRole
from qingniao.runtime.rooms.base import Room
from qingniao.runtime.standstill import Standstill, refuse_if_moved
from qingniao.runtime.vitals import Vitals
from qingniao.storage.first_run import FirstRun

if TYPE_CHECKING:
    from qingniao.gateway.http_server import HttpServer
    from qingniao.gateway.server import GatewayServer
    from qingniao.runtime.rooms.api import ApiRoom

__all__ = ["House"]

_log: Final = get_logger("runtime")
_BEHIND_A_BALANCER: Final = frozenset({ServeRole.GATEWAY, ServeRole.API})
_WORKERS_SHARE: Final = 0.5
"""Of the time to drain, what workers may take before the sockets are told."""


class House:
    """The rooms, in the order in which they depend on each other."""

    def __init__(self, config: Config, roles: frozenset[ServeRole] = ALL) -> None:
        self._config = config
        self._roles = roles
        self._workers: list[Room] = []
        self._watching: list[Callable[[], Coroutine[None, None, None]]] = []
        self._server: GatewayServer | HttpServer

    async def open(self, stack: AsyncExitStack) -> FirstRun | None:
        """Open the stores, make the first run if it is one, learn what is to be known. The data
        folder is there and can be written. Raises `StartError`."""
        config = self._config
        if not config.database.url:
            await asyncio.to_thread(refuse_if_moved, Path(config.data))
        self._base = base = Foundation(config, await Engines.open(config, stack))
        stack.push_async_callback(base.close)
        if not config.database.url:
            self._watch(
                Standstill(
                    Path(config.data), base.pipeline, base.engines.log, base.engines.database
                )
            )
        # First of all: what it furnishes the others read.
        api = await _open_api(base) if ServeRole.API in self._roles else None
        await self._open_workers(base)
        app = api.app() if api is not None else Vitals(base.health, base.metrics)
        self._server = self._open_door(base, app)
        for source in (*self._workers, self._server):
            base.metrics.add(source.readings)
        return api.first if api is not None else None

    async def listen(self) -> str:
        """Open the port; the URL to reach it."""
        config = self._config
        port = await self._server.start(config.host, config.port)
        self._base.health.state = "ok"
        host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104
        return config.public_url or f"http://{host}:{port}"

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """Everything that runs until the end."""
        base = self._base
        jobs = [base.pipeline.run(), base.health.keep_reads(), base.health.watch_loop()]
        jobs += (job() for job in (*base.engines.jobs, *self._watching))
        for worker in self._workers:
            jobs += worker.jobs()
        return jobs

    async def drain(self) -> None:
        """Say that we leave, end what is under way, and send those away who are here. Over by
        `gateway.drain_ms` after the notice."""
        config, health = self._config.gateway, self._base.health
        health.state = "draining"
        if not self._roles.isdisjoint(_BEHIND_A_BALANCER):
            await asyncio.sleep(config.notice_ms / 1000)
        loop = asyncio.get_running_loop()
        until = loop.time() + config.drain_ms / 1000
        share_s = config.drain_ms / 1000 * _WORKERS_SHARE
        await asyncio.gather(*(worker.drain(share_s) for worker in self._workers))
        await self._server.close(max(0.0, until - loop.time()))
        if not self._is_gateway:
            await self._store_what_was_taken(max(0.0, until - loop.time()))

    def _watch(self, standstill: Standstill) -> None:
        self._watching.append(standstill.run)
        self._base.metrics.add(standstill.readings)

    @property
    def _is_gateway(self) -> bool:
        return ServeRole.GATEWAY in self._roles

    async def _store_what_was_taken(self, within_s: float) -> None:
        """A gateway does this between taking nobody in and saying goodbye."""
        try:
            async with asyncio.timeout(within_s):
                await self._base.pipeline.drain()
        except TimeoutError:
            _log.warning("drain_gave_up", waiting=self._base.pipeline.depth)

    async def _open_workers(self, base: Foundation) -> None:
        if ServeRole.AI in self._roles:
            from qingniao.runtime.rooms.ai import AIRoom

            self._workers.append(AIRoom(base))
        if ServeRole.ASSIGNMENT in self._roles:
            from qingniao.runtime.rooms.assignment import AssignmentRoom

            self._workers.append(AssignmentRoom(base))
        if ServeRole.ANALYTICS in self._roles:
            from qingniao.runtime.rooms.analytics import AnalyticsRoom

            self._workers.append(AnalyticsRoom(base))
        if ServeRole.DELIVERY in self._roles:
            from qingniao.runtime.rooms.delivery import DeliveryRoom

            self._workers.append(DeliveryRoom(base))
        for worker in self._workers:
            await worker.open()

    def _open_door(self, base: Foundation, app: Any) -> "GatewayServer | HttpServer":
        if self._is_gateway:
            from qingniao.runtime.rooms.gateway import open_gateway, watch_sessions

            server = open_gateway(base, app)
            if base.engines.database.is_shared:
                self._watching.append(watch_sessions(base, server).run)
            return server
        from qingniao.gateway.http_server import HttpServer

        return HttpServer(base.config.gateway, app)


async def _open_api(base: Foundation) -> "ApiRoom":
    from qingniao.runtime.rooms.api import ApiRoom

    api = ApiRoom(base)
    await api.open()
    return api
