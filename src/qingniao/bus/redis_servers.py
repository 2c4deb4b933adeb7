"""Which server serves what, kept true. Owns a link to every primary.

Refuses to know what is sent. Rule: nobody waits for this: whoever finds no link does without, and
a link that is back is told to all who want to know.
"""

import asyncio
import random
import ssl
from binascii import crc_hqx
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from qingniao.bus.redis_discovery import Discovery, View
from qingniao.bus.redis_link import BusAway, Link, RedisError, Word, command, connect
from qingniao.bus.redis_url import Address, Servers
from qingniao.log import get_logger

__all__ = ["SLOTS", "RedisServers", "slot_of"]

_log: Final = get_logger("bus")
SLOTS: Final = 16_384
_LOOK_S: Final = 2.0
"""How often the arrangement is asked for when nothing says that it has changed."""
_SOON_S: Final = 0.05
_BACKOFF_MAX_S: Final = 1.0
_TRIES: Final = 5
_TRY_AGAIN_S: Final = 0.05
_PING: Final = command("PING")


def slot_of(key: bytes) -> int:
    """A cluster's slot of a key or channel: of what stands in braces, if anything does."""
    begins = key.find(b"{")
    if begins >= 0 and (ends := key.find(b"}", begins + 1)) > begins + 1:
        key = key[begins + 1 : ends]
    return crc_hqx(key, 0) % SLOTS


class RedisServers:
    """Standalone, behind sentinels or a cluster: the same to whoever asks for a link."""

    def __init__(self, servers: Servers, deadline_s: float) -> None:
        self._servers = servers
        self._deadline_s = deadline_s
        self._discovery = Discovery(servers, self._link_to, self.connect)
        self._context: ssl.SSLContext | None = None
        self.kind = ""
        """`"standalone"`, `"sentinel"`, `"cluster"`, or "" before anybody has answered."""
        self._table: list[Address | None] = [None]
        self._view: View | None = None
        self._links: dict[Address, Link] = {}
        self._retired: set[Link] = set()
        """To servers that are not asked any more, for as long as an answer may take."""
        self._listeners: list[Callable[[], None]] = []
        self._asked = asyncio.Event()
        self._looking = asyncio.Lock()
        self._was_whole: bool | None = None
        self.reconnects = self.moves = 0

    # What others ask.

    @property
    def is_cluster(self) -> bool:
        """Are keys spread by slots?"""
        return self.kind == "cluster"

    @property
    def is_whole(self) -> bool:
        """Is there a link for every slot?"""
        return self._view is not None and all(
            self._link_to(address) is not None for _, _, address in self._view.primaries
        )

    def address_of(self, slot: int) -> Address | None:
        """Who serves it, as far as is known."""
        return self._table[slot % len(self._table)]

    def link_of(self, slot: int) -> Link | None:
        """A link to who serves it, if one is up."""
        address = self._table[slot % len(self._table)]
        return self._link_to(address) if address is not None else None

    def _link_to(self, address: Address) -> Link | None:
        link = self._links.get(address)
        return link if link is not None and link.is_up else None

    @property
    def links(self) -> list[Link]:
        """All that are up."""
        return [link for link in self._links.values() if link.is_up]

    def link_at(self, said: str, slot: int) -> Link | None:
        """A link to the place that the slot's server named in `ASK <slot> <place>`."""
        place = self._place(said, slot)
        return self._link_to(place) if place is not None else None

    def _place(self, said: str, slot: int) -> Address | None:
        """Where the slot's server sends us: without a host, to another port of the same one."""
        host, _, port = said.rpartition(" ")[2].rpartition(":")
        asked = self.address_of(slot)
        return (host or asked[0], int(port)) if asked is not None and port.isdecimal() else None

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` when a link has come or gone or slots have moved."""
        self._listeners.append(changed)

    async def connect(self, address: Address) -> Link:
        """A link of the caller's own. Raises `BusAway`."""
        return await connect(address, self._servers, self._context, self._deadline_s)

    def look(self) -> None:
        """Something is not where it was: ask again, soon."""
        self._asked.set()

    def heed(self, error: Any, slot: int) -> bool:
        """A server has refused a command: does it make sense to send it again, in a moment?"""
        said = str(error)
        word, _, _ = said.partition(" ")
        if word == "MOVED":
            self.moves += 1
            place = self._place(said, slot)
            if place is not None and len(self._table) == SLOTS:
                self._table[slot] = place
            self.look()
            return True
        if word in ("READONLY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN", "ASK"):
            self.look()
            return True
        return False

    async def ask(self, key: bytes, *words: Word) -> Any:
        """One command about `key`, following whoever serves it. Raises `BusAway`; other errors of
        the server are returned."""
        (reply,) = await self.ask_all(key, [command(*words)])
        return reply

    async def ask_all(self, key: bytes, commands: list[bytes]) -> list[Any]:
        """The same for several commands about one slot; all are sent again if one has to be."""
        slot = slot_of(key)
        for _ in range(_TRIES):
            link = self.link_of(slot)
            if link is None:
                raise BusAway
            replies = await link.ask_all(commands)
            refused = [r for r in replies if isinstance(r, RedisError) and self.heed(r, slot)]
            if not refused:
                return replies
            if (asked := str(refused[0])).startswith("ASK "):
                replies = await self._ask_there(asked, slot, commands)
                if not any(isinstance(reply, RedisError) for reply in replies):
                    return replies
            await asyncio.sleep(_TRY_AGAIN_S)
        raise BusAway

    async def _ask_there(self, said: str, slot: int, commands: list[bytes]) -> list[Any]:
        """The slot is on its way to another server, which takes commands already if told so."""
        link = self.link_at(said, slot)
        if link is None:
            raise BusAway
        asking = command("ASKING")
        replies = await link.ask_all([part for one in commands for part in (asking, one)])
        return replies[1::2]

    # What the owner calls.

    async def open(self) -> None:
        """Find out what there is. Whoever does not answer now is looked for by `run`."""
        self._context = await asyncio.to_thread(self._servers.context)
        await self._look()
        self._say()

    async def run(self) -> None:
        """Keep the arrangement true until cancelled."""
        backoff_s = _SOON_S
        while True:
            wait_s = _LOOK_S if self.is_whole else backoff_s * random.uniform(0.5, 1)  # noqa: S311
            try:
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
            except TimeoutError:
                pass
            self._asked.clear()
            was_whole = self.is_whole
            try:
                await self._look()
            except Exception as exc:  # whatever a server says, the looking goes on
                _log.error("bus_look_failed", exc=exc)
            self._say()
            for link in self.links:  # a line that nobody uses must not be dead for long
                link.send(_PING, 1, _ignore)
            backoff_s = _SOON_S if self.is_whole else min(_BACKOFF_MAX_S, backoff_s * 2)
            if was_whole and self.is_whole:
                await asyncio.sleep(_SOON_S)  # a thousand refusals are one look

    def _say(self) -> None:
        """Once for each change."""
        if self.is_whole != self._was_whole:
            self._was_whole = self.is_whole
            if self._was_whole:
                _log.info("bus_here", kind=self.kind, servers=len(self._links))
            else:
                _log.warning("bus_away", reason=self._discovery.why)

    async def close(self) -> None:
        """Let go of every link."""
        links = [*self._links.values(), *self._retired]
        self._links.clear()
        for link in links:
            link.on_lost = None
            link.cut()

    async def _look(self) -> None:
        async with self._looking:
            view = await self._discovery.find(self._view, is_trusted=self.is_whole)
            if view is None:
                return
            changed = view != self._view
            self.kind, self._view = view.kind, view
            table: list[Address | None] = [None] * (SLOTS if view.kind == "cluster" else 1)
            for first, last, address in view.primaries:
                table[first : last + 1] = [address] * (last + 1 - first)
            changed |= table != self._table
            self._table = table
            wanted = {address for _, _, address in view.primaries}
            for address in [a for a in self._links if a not in wanted]:
                link = self._links.pop(address)
                # What is under way there is answered yet, if only by who is asked instead.
                self._retired.add(link)
                link.on_lost = partial(self._retired.discard, link)
                asyncio.get_running_loop().call_later(self._deadline_s, link.cut)
            missing = [address for address in wanted if self._link_to(address) is None]
            came = await asyncio.gather(*(self._join(address) for address in missing))
            if changed or any(came):
                self._tell()

    async def _join(self, address: Address) -> bool:
        try:
            link = await self.connect(address)
        except BusAway as exc:
            self._discovery.why = str(exc)
            return False
        link.on_lost = self._lost
        self._links[address] = link
        self.reconnects += 1
        return True

    def _lost(self) -> None:
        self.look()
        self._tell()

    def _tell(self) -> None:
        for changed in self._listeners:
            changed()


def _ignore(_reply: Any) -> None:
    pass
