"""The channels that this process listens to, on whichever servers they are. Owns a `Subscription`
to every server that has one of them.

Refuses to know what is said. Rule: a channel is either in force or in doubt; whoever asked for it
is told when it has come out of doubt, for what was said meanwhile is lost.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from qingniao.bus.redis_servers import RedisServers, slot_of
from qingniao.bus.redis_subscription import Subscription
from qingniao.bus.redis_url import Address
from qingniao.metrics import Reading

__all__ = ["Listener"]

_MENDED_S: Final = 0.05
_REFUSED_S: Final = 0.1

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
        self._deadline_s = deadline_s
        self._mended = mended
        self._channels: dict[bytes, _Channel] = {}
        self._subscriptions: dict[Address, Subscription] = {}
        self._doubted: set[bytes] = set()
        self._back: list[bytes] = []
        self._misplaced: list[_Channel] | None = []
        """Those to be placed; `None`: look at all of them."""
        self._refused: list[_Channel] = []
        """Those to be placed again in a moment."""
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
        subscription = self._subscriptions.get(channel.at) if channel.at is not None else None
        if subscription is not None:
            subscription.unsubscribe(name)

    def wants(self, name: bytes) -> bool:
        """Does somebody here want it?"""
        return name in self._channels

    async def close(self) -> None:
        """Listen to nothing any more."""
        self._closed = True
        for channel in self._channels.values():
            channel.release()
        subscriptions, self._subscriptions = self._subscriptions, {}
        await asyncio.gather(*(subscription.close() for subscription in subscriptions.values()))

    # What the subscriptions report.

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
        # Two servers may send us to each other for a while, or nobody may serve it.
        if not self._refused:
            asyncio.get_running_loop().call_later(_REFUSED_S, self._plan_refused)
        self._refused.append(channel)

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

    def _plan_refused(self) -> None:
        refused, self._refused = self._refused, []
        for channel in refused:
            self._plan(channel)

    def _place(self) -> None:
        self._is_due = False
        if self._closed:
            return
        misplaced, self._misplaced = self._misplaced, []
        channels = self._channels
        wanted: dict[Address, list[bytes]] = {}
        for channel in list(channels.values()) if misplaced is None else misplaced:
            if channels.get(channel.name) is channel and (
                subscription := self._subscription_for(channel)
            ):
                wanted.setdefault(subscription.address, []).append(channel.name)
        for address, names in wanted.items():
            self._subscriptions[address].subscribe(names)
        if misplaced is None:
            self._let_go()

    def _subscription_for(self, channel: _Channel) -> Subscription | None:
        """Who is to ask for it now; `None` if nobody has to, or can."""
        address = self.servers.address_of(channel.slot)
        if address == channel.at and address is not None:
            return None
        if channel.at is not None:  # it has moved
            old = self._subscriptions.get(channel.at)
            if old is not None:
                old.unsubscribe(channel.name)
            self._doubt(channel)
        if address is None:
            self._doubt(channel)
            return None
        subscription = self._subscriptions.get(address)
        if subscription is None:
            subscription = self._subscriptions[address] = Subscription(
                self.servers, address, self, self._deadline_s
            )
        if subscription.is_up:
            channel.at = address
            return subscription
        if subscription.has_failed:
            self._doubt(channel)
        return None

    def _let_go(self) -> None:
        """Of servers that serve nothing any more."""
        serving = {self.servers.address_of(c.slot) for c in self._channels.values()}
        for address in [a for a in self._subscriptions if a not in serving]:
            self._subscriptions.pop(address).end()

    def up(self) -> None:
        """A server listens to us again."""
        self._plan()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        count, doubted = len(self._channels), len(self._doubted)
        yield "gauge", "bus_channels", "Channels this process listens to.", count
        yield "gauge", "bus_channels_doubted", "Those of them that are not in force.", doubted
        yield "counter", "bus_listening_lost", "Times that a server was not heard.", self.losses
