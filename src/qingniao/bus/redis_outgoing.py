"""What leaves for Redis. Owns the one line of commands that nobody waits for, and its bound.

Everything offered in one turn of the loop leaves together, in order for each slot. Refuses to be
waited for. Rule: offering never blocks; while a server is away droppable commands are dropped at
once, the others wait up to a bound, and `on_lost` hears of every one that may not have arrived.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from qingniao.bus.redis_link import BusAway, Link, RedisError, command
from qingniao.bus.redis_servers import RedisServers
from qingniao.bus.redis_url import Address
from qingniao.metrics import Reading

__all__ = ["Outgoing"]

_UNANSWERED_BYTES: Final = 4_194_304
"""On the way to one server; above it what comes waits here."""
_TRY_S: Final = 0.05
_TRIES: Final = 20
_ASKING: Final = command("ASKING")

Lost = Callable[[int], None]
"""Called with the note that was given along."""


class _Item:
    """A command on its way: to which slot, whether it may be dropped, whom it is about."""

    __slots__ = ("data", "droppable", "note", "slot", "tries")

    def __init__(self, slot: int, data: bytes, droppable: bool, note: int) -> None:
        self.slot = slot
        self.data = data
        self.droppable = droppable
        self.note = note
        self.tries = 0


class Outgoing:
    """One for all engines of a process. `waiting`: commands held while servers are away."""

    def __init__(self, servers: RedisServers, waiting: int, on_lost: Lost) -> None:
        self._servers = servers
        self._bound = waiting
        self._on_lost = on_lost
        self._ready: list[_Item] = []
        self._held: dict[Address | None, deque[_Item]] = {}
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.held = self.sent = self.dropped = self.lost = 0
        servers.listen(self._retry)

    def offer(self, slot: int, data: bytes, *, droppable: bool, note: int = -1) -> None:
        """Send it at the end of this turn. `note` is what `on_lost` hears, if not negative."""
        if self._closed:
            return
        self._ready.append(_Item(slot, data, droppable, note))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    async def flushed(self, deadline_s: float) -> None:
        """Wait until everything offered was answered or the deadline has passed."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline_s
        while self._has_work and loop.time() < ends:  # noqa: ASYNC110  at the end, and once
            await asyncio.sleep(0.01)

    @property
    def _has_work(self) -> bool:
        on_the_way = any(link.sent_bytes for link in self._servers.links)
        return bool(self._ready or self.held or on_the_way)

    def close(self) -> None:
        """What waits is let go of."""
        self._closed = True
        self._ready.clear()
        self._held.clear()
        self.held = 0
        if self._timer is not None:
            self._timer.cancel()

    def flush(self) -> None:
        """Send what was offered, now."""
        self._is_due = False
        ready, self._ready = self._ready, []
        self._send(ready)

    def _send(self, items: Iterable[_Item]) -> None:
        by_link: dict[Link, list[_Item]] = {}
        servers, held = self._servers, self._held
        for item in items:
            link = servers.link_of(item.slot)
            if link is None or link.sent_bytes > _UNANSWERED_BYTES:
                self._hold(servers.address_of(item.slot), item)
            elif held and servers.address_of(item.slot) in held:
                self._hold(servers.address_of(item.slot), item)  # behind those that wait
            else:
                by_link.setdefault(link, []).append(item)
        for link, some in by_link.items():
            self.sent += len(some)
            link.send(b"".join([item.data for item in some]), len(some), _Replies(self, some).take)

    def _hold(self, address: Address | None, item: _Item) -> None:
        if item.droppable and not item.tries:  # refused, it is on its way to somewhere else
            self.dropped += 1
        elif self.held >= self._bound:
            self.lose(item)
        else:
            self.held += 1
            self._held.setdefault(address, deque()).append(item)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_TRY_S, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        self._retry()
        if self._held and self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_TRY_S, self._try_again)

    def _retry(self) -> None:
        for address, items in list(self._held.items()):
            link = self._servers.link_of(items[0].slot)
            if link is not None and link.sent_bytes <= _UNANSWERED_BYTES:
                del self._held[address]
                self.held -= len(items)
                self._send(items)

    def again(self, item: _Item, error: Any) -> None:
        """A server has refused it: once more, if that makes sense."""
        item.tries += 1
        if item.tries > _TRIES or not self._servers.heed(error, item.slot):
            self.lose(item)
            return
        said = str(error)
        if said.startswith("ASK "):
            link = self._servers.link_at(said, item.slot)
            if link is not None:
                link.send(_ASKING + item.data, 2, _Replies(self, [None, item]).take)
                return
        if said.startswith("MOVED ") and item.tries == 1:
            self._ready.append(item)
            if not self._is_due:
                self._is_due = True
                asyncio.get_running_loop().call_soon(self.flush)
            return
        self._hold(self._servers.address_of(item.slot), item)

    def lose(self, item: _Item) -> None:
        """It may not have arrived."""
        if item.droppable:
            self.dropped += 1
            return
        self.lost += 1
        if item.note >= 0 and not self._closed:
            self._on_lost(item.note)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "bus_waiting", "Commands that wait for servers that are away.", self.held
        yield "counter", "bus_sent", "Commands sent to the bus without waiting.", self.sent
        yield "counter", "bus_dropped", "Whispers and hints left out of the bus.", self.dropped
        yield "counter", "bus_lost", "Other commands that may not have arrived.", self.lost


class _Replies:
    """Takes the replies of one write, in order."""

    __slots__ = ("_items", "_next", "_outgoing")

    def __init__(self, outgoing: Outgoing, items: list[_Item] | list[_Item | None]) -> None:
        self._outgoing = outgoing
        self._items = items
        self._next = 0

    def take(self, reply: Any) -> None:
        item = self._items[self._next]
        self._next += 1
        if type(reply) is int or item is None:  # most of them: to how many
            return
        if isinstance(reply, RedisError):
            self._outgoing.again(item, reply)
        elif isinstance(reply, BusAway):
            self._outgoing.lose(item)
