"""`bus.base.Fanout` over Redis's publish and subscribe. Owns which item goes on which channel.

Within the process everything is a call, as in memory; Redis carries it to the others. Rule:
whatever may have been lost, here or on the way to others, ends in a `Gap`.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.bus.base import Gap, News, Published, Touched, Whisper
from qingniao.bus.memory import MemoryFanout
from qingniao.bus.redis_listener import Listener
from qingniao.bus.redis_outgoing import Outgoing
from qingniao.bus.redis_servers import RedisServers, slot_of
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["RedisFanout"]

_log: Final = get_logger("bus")
_NAME_BYTES: Final = 8
_BEAT_S: Final = 1.0
_SILENT_S: Final = 5.0
"""After so long without a beat a process may have stored something that it told nobody."""
_FORGET_S: Final = 30.0
_LISTS_S: Final = 0.1
_NAMED: Final = 1_000
"""Conversations named in a `Gap`; beyond it is about all."""
_TOUCHED_AT_ONCE: Final = 2_000


class _Beat(Struct, frozen=True, array_like=True, tag=20):
    """This process is there, and hears and speaks. `leaves`: not any more."""

    leaves: bool = False


class _Lost(Struct, frozen=True, array_like=True, tag=21):
    """What this process published about these (none: any) conversations may not have arrived."""

    conversations: tuple[int, ...] = ()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Published | _Beat | _Lost).decode


class RedisFanout:
    """One per process. `prefix` keeps installations on one Redis apart."""

    def __init__(
        self, servers: RedisServers, *, prefix: str, waiting: int, deadline_s: float
    ) -> None:
        self.name = os.urandom(_NAME_BYTES)
        """Of this process, in front of all that it says: it does not listen to itself."""
        self._servers = servers
        self._prefix = prefix.encode()
        self._desk = self._prefix + b":desk"
        self._lists = self._prefix + b":lists"
        self._slots = slot_of(self._desk), slot_of(self._lists)
        self.outgoing = Outgoing(servers, waiting, self._not_sent)
        self.listener = Listener(servers, self._heard, self._mended, deadline_s)
        self._here = MemoryFanout()
        self._touched: set[int] = set()
        self._unsent: set[int] = set()
        self._peers: dict[bytes, float] = {}
        self._silent: dict[bytes, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.heard = self.gaps = self.garbled = 0

    # The port.

    @property
    def is_whole(self) -> bool:
        """See `Fanout.is_whole`."""
        return not self._silent and self.listener.is_whole and self._servers.kind != ""

    def publish(self, item: Published) -> None:
        """See `Fanout.publish`."""
        self._here.publish(item)
        kind = type(item)
        if kind is News:
            self._touched.add(item.conversation)  # type: ignore[union-attr]
            self._send_about(item.conversation, item, droppable=False)  # type: ignore[union-attr]
        elif kind is Whisper:
            if item.lists:  # type: ignore[union-attr]
                self._touched.add(item.conversation)  # type: ignore[union-attr]
            self._send_about(item.conversation, item, droppable=item.droppable)  # type: ignore[union-attr]
        else:
            self._send(self._slots[0], self._desk, item, note=0)

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """See `Fanout.subscribe`."""
        return self._here.subscribe(deliver)

    async def follow(self, conversation: int) -> None:
        """See `Fanout.follow`."""
        await self.listener.add(self._channel(conversation))

    def unfollow(self, conversation: int) -> None:
        """See `Fanout.unfollow`."""
        self.listener.remove(self._channel(conversation))

    # Its owner's.

    async def open(self) -> None:
        """Listen to the desk, and say that this process is there."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._beat()), loop.create_task(self._tell_lists())]
        await self.listener.add(self._desk)

    async def close(self, deadline_s: float) -> None:
        """Let what was said leave, say goodbye, and let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._flush_lists()
        self._send(self._slots[0], self._desk, _Beat(leaves=True))
        await self.outgoing.flushed(deadline_s)
        self.outgoing.close()
        self._unsent.clear()
        await self.listener.close()

    # Saying.

    def _channel(self, conversation: int) -> bytes:
        return b"%b:c:%d" % (self._prefix, conversation) if conversation else self._lists

    def _send_about(self, conversation: int, item: Published, *, droppable: bool) -> None:
        channel = b"%b:c:%d" % (self._prefix, conversation)
        self._send(slot_of(channel), channel, item, droppable=droppable, note=conversation)

    def _send(
        self,
        slot: int,
        channel: bytes,
        item: Published | _Beat | _Lost,
        *,
        droppable: bool = False,
        note: int = -1,
    ) -> None:
        said = self.name + _encode(item)
        word = b"$8\r\nSPUBLISH" if self._servers.is_cluster else b"$7\r\nPUBLISH"
        data = b"*3\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            word, len(channel), channel, len(said), said,
        )  # fmt: skip
        self.outgoing.offer(slot, data, droppable=droppable, note=note)

    def _not_sent(self, conversation: int) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_later(_LISTS_S, self._tell_lost)
        if len(self._unsent) <= _NAMED:  # one more than can be named is enough to say so
            self._unsent.add(conversation)

    def _tell_lost(self) -> None:
        """Others are to look for themselves; held like everything else until there is a way."""
        if not self._unsent:
            return
        if self._servers.link_of(self._slots[0]) is None:
            # It would be the next to be lost: once for all, when there is a way again.
            asyncio.get_running_loop().call_later(_LISTS_S, self._tell_lost)
            return
        unsent, self._unsent = self._unsent, set()
        few = len(unsent) <= _NAMED and 0 not in unsent
        self._send(self._slots[0], self._desk, _Lost(tuple(unsent) if few else ()), note=0)

    async def _tell_lists(self) -> None:
        while True:
            await asyncio.sleep(_LISTS_S)
            self._flush_lists()

    def _flush_lists(self) -> None:
        if self._touched:
            touched, self._touched = list(self._touched), set()
            for start in range(0, len(touched), _TOUCHED_AT_ONCE):
                some = tuple(touched[start : start + _TOUCHED_AT_ONCE])
                self._send(self._slots[1], self._lists, Touched(some), note=0)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._send(self._slots[0], self._desk, _Beat(), droppable=True)
            await asyncio.sleep(_BEAT_S)
            self._count_peers(loop.time())

    # Hearing.

    def _heard(self, channel: bytes, said: bytes) -> None:
        who = said[:_NAME_BYTES]
        if who == self.name:
            return
        self.heard += 1
        try:
            item = _decode(said[_NAME_BYTES:])
        except msgspec.DecodeError:
            self.garbled += 1  # of another version, or not ours
            return
        kind = type(item)
        if kind is _Beat:
            self._peer(who, item)
        elif kind is _Lost:
            self._gap(item.conversations)
        else:
            self._hand_on(item)

    def _hand_on(self, item: Published) -> None:
        try:
            self._here.publish(item)
        except Exception as exc:  # a fault of a subscriber must not make the bus deaf
            _log.error("delivering_failed", exc=exc)

    def _gap(self, conversations: Iterable[int] = ()) -> None:
        self.gaps += 1
        self._hand_on(Gap(tuple(conversations)))

    def _mended(self, channels: list[bytes]) -> None:
        """What was said on them meanwhile is lost."""
        if not channels:
            return
        if len(channels) > _NAMED or self._desk in channels or self._lists in channels:
            self._gap()
            return
        self._gap(int(channel.rpartition(b":")[2]) for channel in channels)

    def _peer(self, who: bytes, beat: _Beat) -> None:
        if beat.leaves:
            self._peers.pop(who, None)
            self._silent.pop(who, None)
            return
        self._peers[who] = asyncio.get_running_loop().time()
        if self._silent.pop(who, None) is not None:
            self._gap()

    def _count_peers(self, now: float) -> None:
        """A process that fell silent is dead, or cannot reach Redis while we can: what it stored,
        it may have told nobody."""
        for who, at in list(self._peers.items()):
            if now - at > _SILENT_S:
                del self._peers[who]
                self._silent[who] = now
                _log.warning("bus_peer_silent")
                self._gap()
        for who, since in list(self._silent.items()):
            if now - since > _FORGET_S:
                del self._silent[who]
                self._gap()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "counter", "bus_heard", "Items that came over the bus.", self.heard
        yield "counter", "bus_gaps", "Times that something may have been lost.", self.gaps
        yield "counter", "bus_garbled", "Items that could not be read.", self.garbled
        yield "gauge", "bus_peers", "Other processes that are heard.", len(self._peers)
        yield from self.outgoing.readings()
        yield from self.listener.readings()
