"""The channels that this process listens to, on whichever servers they are. Owns a connection for
listening to every server that has one of them.

Refuses to know what is said. Rule: a channel is either in force or in doubt; whoever asked for it
is told when it has come out of doubt, for what was said meanwhile is lost.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from qingniao.bus.redis_link import BusAway, Link, RedisError, command
from qingniao.bus.redis_servers import RedisServers, slot_of
from qingniao.bus.redis_url import Address
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["Listener"]

_log: Final = get_logger("bus")
_PING_S: Final = 1.0
_MENDED_S: Final = 0.05
_BACKOFF_S: Final = 0.05
_BACKOFF_MAX_S: Final = 1.0
_AT_ONCE: Final = 200
"""Channels in one SUBSCRIBE: the replies of one command are written in one go."""
_PING: Final = command("PING")

Heard = Callable[[bytes, bytes], None]
"""Called with the channel and what was said."""
Mended = Callable[[list[bytes]], None]
"""Called with channels that are in force again."""


class _Channel:
    """One that somebody here wants."""

    __slots__ = ("at", "in_force", "name", "slot", "waiters")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.slot = slot_of(name)
        self.at: Address | None = None
        """Where it was asked for; `None` while it has to be asked for (again)."""
        self.in_force = False
        self.waiters: list[asyncio.Future[None]] | None = None

    def release(self) -> None:
        """Nobody waits for it any more, in force or not."""
        waiters, self.waiters = self.waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)


class Listener:
    """Subscribes, and subscribes again, to what is wanted."""

    def __init__(
        self, servers: RedisServers, heard: Heard, mended: Mended, deadline_s: float
    ) -> None:
        self.servers = servers
        self.heard = heard
        self.deadline_s = deadline_s
        self._mended = mended
        self._channels: dict[bytes, _Channel] = {}
        self._ears: dict[Address, _Ear] = {}
        self._doubted: set[bytes] = set()
        self._back: list[bytes] = []
        self._misplaced: list[_Channel] | None = []
        """Those to be placed; `None`: look at all of them."""
        self._is_due = False
        self._closed = False
        self.losses = 0
        servers.listen(self._plan)

    @property
    def is_whole(self) -> bool:
        """Is everything wanted in force, or asked for the first time just now?"""
        return not self._doubted

    async def add(self, name: bytes) -> None:
        """Returns when it is in force, or its server is away: then `mended` is called later."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel(name)
            self._plan(channel)
        if channel.in_force or name in self._doubted or self._closed:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if channel.waiters is None:
            channel.waiters = []
        channel.waiters.append(waiter)
        await waiter

    def remove(self, name: bytes) -> None:
        """Not wanted any more."""
        channel = self._channels.pop(name, None)
        if channel is None:
            return
        self._doubted.discard(name)
        channel.release()
        ear = self._ears.get(channel.at) if channel.at is not None else None
        if ear is not None:
            ear.unsubscribe(name)

    def wants(self, name: bytes) -> bool:
        """Does somebody here want it?"""
        return name in self._channels

    async def close(self) -> None:
        """Listen to nothing any more."""
        self._closed = True
        for channel in self._channels.values():
            channel.release()
        ears, self._ears = self._ears, {}
        await asyncio.gather(*(ear.close() for ear in ears.values()))

    # What the ears report.

    def confirmed(self, name: bytes, address: Address) -> None:
        """It is in force there."""
        channel = self._channels.get(name)
        if channel is None or channel.at != address:
            return
        channel.in_force = True
        channel.release()
        if name in self._doubted:
            self._doubted.discard(name)
            if not self._back:
                asyncio.get_running_loop().call_later(_MENDED_S, self._tell_mended)
            self._back.append(name)

    def refused(self, name: bytes, error: Any) -> None:
        """It is not served there."""
        channel = self._channels.get(name)
        if channel is None:
            return
        self.servers.heed(error, channel.slot)
        self._doubt(channel)
        self._plan(channel)

    def dropped(self, name: bytes, address: Address) -> None:
        """The server has ended it: the slot has moved."""
        channel = self._channels.get(name)
        if channel is not None and channel.at == address:
            self.servers.look()
            self._doubt(channel)
            self._plan(channel)

    def deaf(self, address: Address) -> None:
        """Nothing is heard from there, or could not be."""
        self.losses += 1
        for channel in self._channels.values():
            if channel.at == address or (
                channel.at is None and self.servers.address_of(channel.slot) == address
            ):
                self._doubt(channel)
        self.servers.look()

    def _doubt(self, channel: _Channel) -> None:
        channel.at, channel.in_force = None, False
        self._doubted.add(channel.name)
        channel.release()

    def _tell_mended(self) -> None:
        back, self._back = self._back, []
        if not self._closed:
            self._mended([name for name in back if name not in self._doubted])

    # Placing.

    def _plan(self, channel: _Channel | None = None) -> None:
        """Place what is not where it belongs, at the end of this turn: one, or all that are."""
        if channel is None:
            self._misplaced = None
        elif self._misplaced is not None:
            self._misplaced.append(channel)
        if not self._is_due and not self._closed:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._place)

    def _place(self) -> None:
        self._is_due = False
        if self._closed:
            return
        misplaced, self._misplaced = self._misplaced, []
        channels = self._channels
        wanted: dict[Address, list[bytes]] = {}
        for channel in list(channels.values()) if misplaced is None else misplaced:
            if channels.get(channel.name) is channel and (ear := self._ear_for(channel)):
                wanted.setdefault(ear.address, []).append(channel.name)
        for address, names in wanted.items():
            self._ears[address].subscribe(names)
        if misplaced is None:
            self._let_go()

    def _ear_for(self, channel: _Channel) -> "_Ear | None":
        """Who is to ask for it now; `None` if nobody has to, or can."""
        address = self.servers.address_of(channel.slot)
        if address == channel.at and address is not None:
            return None
        if channel.at is not None:  # it has moved
            old = self._ears.get(channel.at)
            if old is not None:
                old.unsubscribe(channel.name)
            self._doubt(channel)
        if address is None:
            self._doubt(channel)
            return None
        ear = self._ears.get(address)
        if ear is None:
            ear = self._ears[address] = _Ear(self, address)
        if ear.is_up:
            channel.at = address
            return ear
        if ear.has_failed:
            self._doubt(channel)
        return None

    def _let_go(self) -> None:
        """Of servers that serve nothing any more."""
        serving = {self.servers.address_of(c.slot) for c in self._channels.values()}
        for address in [a for a in self._ears if a not in serving]:
            self._ears.pop(address).end()

    def up(self) -> None:
        """A server listens to us again."""
        self._plan()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        count, doubted = len(self._channels), len(self._doubted)
        yield "gauge", "bus_channels", "Channels this process listens to.", count
        yield "gauge", "bus_channels_doubted", "Those of them that are not in force.", doubted
        yield "counter", "bus_listening_lost", "Times that a server was not heard.", self.losses


class _Ear:
    """A connection that listens to one server, and comes back until it is ended."""

    def __init__(self, listener: Listener, address: Address) -> None:
        self._listener = listener
        self.address = address
        self._link: Link | None = None
        self._due: deque[tuple[bool, bytes]] = deque()
        """Confirmations on their way: was it wanted or not, and which."""
        self._heard_at = 0.0
        self._lost = asyncio.Event()
        self.has_failed = False
        self._speak(is_cluster=listener.servers.is_cluster)
        self._kinds = {
            b"message": self._hear, b"smessage": self._hear,
            b"subscribe": self._confirm, b"ssubscribe": self._confirm,
            b"unsubscribe": self._end_one, b"sunsubscribe": self._end_one,
        }  # fmt: skip
        self._task = asyncio.get_running_loop().create_task(self._run())

    def _speak(self, *, is_cluster: bool) -> None:
        # Channels of different slots do not fit into one command.
        self._at_once = 1 if is_cluster else _AT_ONCE
        self._words = (
            (b"SSUBSCRIBE", b"SUNSUBSCRIBE") if is_cluster else (b"SUBSCRIBE", b"UNSUBSCRIBE")
        )

    @property
    def is_up(self) -> bool:
        """Can it be asked for channels?"""
        return self._link is not None and self._link.is_up

    def subscribe(self, names: list[bytes]) -> None:
        """`confirmed` or `refused` follows for each, or `deaf` for all."""
        if self._link is None:
            return
        self._due.extend((True, name) for name in names)
        word, step = self._words[0], self._at_once
        self._link.push(
            b"".join(command(word, *names[i : i + step]) for i in range(0, len(names), step))
        )

    def unsubscribe(self, name: bytes) -> None:
        """Nothing follows."""
        if self._link is not None and self._link.is_up:
            self._due.append((False, name))
            self._link.push(command(self._words[1], name))

    def end(self) -> None:
        """Not wanted any more."""
        self._task.cancel()
        if self._link is not None:
            self._link.cut()

    async def close(self) -> None:
        """The same, and wait for it."""
        self.end()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        backoff_s = _BACKOFF_S
        while True:
            try:
                link = await self._listener.servers.connect(self.address)
            except Exception as exc:  # whatever is in the way, the next try follows
                if not isinstance(exc, BusAway):
                    _log.error("bus_listening_failed", exc=exc)
                if not self.has_failed:
                    self.has_failed = True
                    self._listener.deaf(self.address)
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311
                backoff_s = min(_BACKOFF_MAX_S, backoff_s * 2)
                continue
            backoff_s, self.has_failed = _BACKOFF_S, False
            self._speak(is_cluster=self._listener.servers.is_cluster)
            self._lost.clear()
            self._due.clear()
            link.on_push, link.on_lost = self._take, self._lost.set
            self._link = link
            self._heard_at = asyncio.get_running_loop().time()
            self._listener.up()
            try:
                await self._watch(link)
            finally:
                link.cut()
                self._link = None
            self.has_failed = True
            self._listener.deaf(self.address)

    async def _watch(self, link: Link) -> None:
        """Return when it is lost, or silent in spite of being asked."""
        loop = asyncio.get_running_loop()
        while link.is_up:
            try:
                async with asyncio.timeout(_PING_S):
                    await self._lost.wait()
            except TimeoutError:
                pass
            if loop.time() - self._heard_at > self._listener.deadline_s + _PING_S:
                return
            link.push(_PING)

    def _take(self, reply: Any) -> bool:
        self._heard_at = asyncio.get_running_loop().time()
        if type(reply) is list:
            take = self._kinds.get(reply[0])
            if take is not None:
                take(reply)
        elif isinstance(reply, RedisError) and self._due:
            is_wanted, name = self._due.popleft()
            if is_wanted:
                self._listener.refused(name, reply)
        return True

    def _hear(self, reply: list[Any]) -> None:
        self._listener.heard(reply[1], reply[2])

    def _confirm(self, reply: list[Any]) -> None:
        if self._due and self._due[0] == (True, reply[1]):
            self._due.popleft()
        self._listener.confirmed(reply[1], self.address)

    def _end_one(self, reply: list[Any]) -> None:
        if self._due and self._due[0] == (False, reply[1]):
            self._due.popleft()
        else:
            self._listener.dropped(reply[1], self.address)
