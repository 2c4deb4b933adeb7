"""Finding out which servers there are: one, several behind sentinels, or a cluster. Owns the
questions and what is made of the answers.

Refuses to keep links: one that is there is borrowed, any other is cut when it has answered. Rule:
nobody is believed to be a primary who does not say so.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from qingniao.bus.redis_link import BusAway, Link, RedisError, command
from qingniao.bus.redis_url import Address, Servers

__all__ = ["Discovery", "View"]


class View(Struct, frozen=True):
    """What one server says about all of them."""

    kind: str
    """`"standalone"`, `"sentinel"` or `"cluster"`."""
    primaries: tuple[tuple[int, int, Address], ...]
    """First and last slot, and who serves them; without a cluster, one for all."""
    is_well: bool = True
    epoch: int = 0
    replicas: tuple[Address, ...] = ()
    """To be asked when the primaries do not answer."""


class Discovery:
    """`link_to` is a link that is up already, `connect` makes one or raises `BusAway`."""

    def __init__(
        self,
        servers: Servers,
        link_to: Callable[[Address], Link | None],
        connect: Callable[[Address], Awaitable[Link]],
    ) -> None:
        self._servers = servers
        self._link_to = link_to
        self._connect = connect
        self.why = ""
        """The last that was in the way, for the operator."""

    async def find(self, known: View | None, *, is_trusted: bool) -> View | None:
        """The best view of those who answer; of one primary in `known` if that is trusted."""
        if known is not None and is_trusted and known.kind != "sentinel":
            _, _, address = random.choice(known.primaries)  # noqa: S311
            view = await self._ask(address)
            if view is not None and view.is_well and view.epoch >= known.epoch:
                return view
        asked = dict.fromkeys(self._servers.seeds)
        if known is not None:
            asked |= dict.fromkeys(address for _, _, address in known.primaries)
            asked |= dict.fromkeys(known.replicas)
        views = await asyncio.gather(*(self._ask(address) for address in asked))
        found = [view for view in views if view is not None]
        return max(found, key=lambda view: (view.is_well, view.epoch), default=None)

    @asynccontextmanager
    async def _borrowed(self, address: Address) -> AsyncGenerator[Link]:
        link = self._link_to(address)
        if link is not None:
            yield link
            return
        link = await self._connect(address)
        try:
            yield link
        finally:
            link.cut()

    async def _ask(self, address: Address) -> View | None:
        try:
            async with self._borrowed(address) as link:
                return await self._ask_link(link)
        except BusAway as exc:
            self.why = str(exc)
            return None

    async def _ask_link(self, link: Link) -> View | None:
        server, replication = await link.ask_all(
            [command("INFO", "server"), command("INFO", "replication")]
        )
        said = _fields(server)  # Redis has one name for it, Valkey another
        kind = said.get("redis_mode") or said.get("server_mode", "standalone")
        if kind == "cluster":
            return await self._ask_cluster(link)
        if kind == "sentinel":
            return await self._ask_sentinel(link)
        if isinstance(server, RedisError):
            self.why = str(server)
            return None
        of = _fields(replication)
        if of.get("role") != "master":
            return await self._check(of.get("master_host", ""), of.get("master_port", "0"))
        return View("standalone", ((0, 0, link.address),))

    async def _ask_cluster(self, link: Link) -> View | None:
        info, slots = await link.ask_all([command("CLUSTER", "INFO"), command("CLUSTER", "SLOTS")])
        if isinstance(slots, RedisError) or isinstance(info, RedisError) or not slots:
            return None
        primaries, replicas = [], set()
        for first, last, *nodes in slots:
            primary, *others = [
                (host.decode() if host else link.address[0], int(port)) for host, port, *_ in nodes
            ]
            primaries.append((int(first), int(last), primary))
            replicas.update(others)
        said = _fields(info)
        is_well = said.get("cluster_state") == "ok"
        epoch = int(said.get("cluster_current_epoch", 0))
        return View("cluster", tuple(sorted(primaries)), is_well, epoch, tuple(sorted(replicas)))

    async def _ask_sentinel(self, link: Link) -> View | None:
        said = await link.ask("SENTINEL", "MASTERS")
        if isinstance(said, RedisError):
            return None
        watched = [dict(zip(one[::2], one[1::2], strict=False)) for one in said]
        name = self._servers.name.encode()
        fits = [one for one in watched if not name or one[b"name"] == name]
        if len(fits) != 1:
            self.why = "The sentinels watch several primaries: say which with ?name=."
            return None
        host, port = fits[0][b"ip"].decode(), fits[0][b"port"].decode()
        epoch = int(fits[0].get(b"config-epoch", 0))
        return await self._check(host, port, "sentinel", epoch)

    async def _check(
        self, host: str, port: str, kind: str = "standalone", epoch: int = 0
    ) -> View | None:
        """Is the one that others call primary one in its own eyes?"""
        address = (host, int(port))
        async with self._borrowed(address) as link:
            said = await link.ask("INFO", "replication")
        if isinstance(said, RedisError) or _fields(said).get("role") != "master":
            return None
        return View(kind, ((0, 0, address),), epoch=epoch)


def _fields(info: Any) -> dict[str, str]:
    lines: Iterable[str] = info.decode().splitlines() if isinstance(info, bytes) else ()
    return dict(line.split(":", 1) for line in lines if ":" in line)
