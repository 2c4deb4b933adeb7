"""A connection to one server on which channels are subscribed to. Owns that connection and which
confirmations are on their way.

Refuses to know which channels are wanted: after a loss it begins with none. Rule: for every channel
that is asked for somebody hears that it is confirmed, refused, or that nothing is heard from here.
"""

import asyncio
import random
from collections import deque
from typing import Any, Final, Protocol

from qingniao.bus.redis_link import BusAway, Link, RedisError, command
from qingniao.bus.redis_servers import RedisServers
from qingniao.bus.redis_url import Address
from qingniao.log import get_logger

__all__ = ["Reports", "Subscription"]

_log: Final = get_logger("bus")
_PING_S: Final = 1.0
_BACKOFF_S: Final = 0.05
_BACKOFF_MAX_S: Final = 1.0
_AT_ONCE: Final = 200
"""Channels in one SUBSCRIBE: the replies of one command are written in one go."""
_PING: Final = command("PING")


class Reports(Protocol):
    """Whoever wants the channels is told."""

    def heard(self, channel: bytes, said: bytes) -> None:
        """Something was said there."""
        ...

    def confirmed(self, name: bytes, address: Address) -> None:
        """It is in force there."""
        ...

    def refused(self, name: bytes, error: Any) -> None:
        """It is not served there."""
        ...

    def dropped(self, name: bytes, address: Address) -> None:
        """The server has ended it: the slot has moved."""
        ...

    def deaf(self, address: Address) -> None:
        """Nothing is heard from there, or could not be."""
        ...

    def up(self) -> None:
        """A server listens to us again."""
        ...


class Subscription:
    """To one server, begun at once; comes back until it is ended."""

    def __init__(
        self, servers: RedisServers, address: Address, reports: Reports, deadline_s: float
    ) -> None:
        self._servers = servers
        self.address = address
        self._reports = reports
        self._deadline_s = deadline_s
        self._link: Link | None = None
        self._due: deque[tuple[bool, bytes]] = deque()
        """Confirmations on their way: was it wanted or not, and which."""
        self._heard_at = 0.0
        self._lost = asyncio.Event()
        self.has_failed = False
        self._speak(is_cluster=servers.is_cluster)
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
                link = await self._servers.connect(self.address)
            except Exception as exc:  # whatever is in the way, the next try follows
                if not isinstance(exc, BusAway):
                    _log.error("bus_listening_failed", exc=exc)
                if not self.has_failed:
                    self.has_failed = True
                    self._reports.deaf(self.address)
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311
                backoff_s = min(_BACKOFF_MAX_S, backoff_s * 2)
                continue
            self.has_failed = False
            self._speak(is_cluster=self._servers.is_cluster)
            self._lost.clear()
            self._due.clear()
            link.on_push, link.on_lost = self._take, self._lost.set
            self._link = link
            began = self._heard_at = asyncio.get_running_loop().time()
            self._reports.up()
            try:
                await self._watch(link)
            finally:
                link.cut()
                self._link = None
            self.has_failed = True
            self._reports.deaf(self.address)
            if asyncio.get_running_loop().time() - began > _PING_S:
                backoff_s = _BACKOFF_S
            else:  # let in and thrown out: that may go on
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311
                backoff_s = min(_BACKOFF_MAX_S, backoff_s * 2)

    async def _watch(self, link: Link) -> None:
        """Return when it is lost, or silent in spite of being asked."""
        loop = asyncio.get_running_loop()
        while link.is_up:
            try:
                async with asyncio.timeout(_PING_S):
                    await self._lost.wait()
            except TimeoutError:
                pass
            if loop.time() - self._heard_at > self._deadline_s + _PING_S:
                return
            link.push(_PING)

    def _take(self, reply: Any) -> bool:
        self._heard_at = asyncio.get_running_loop().time()
        if type(reply) is list:
            take = self._kinds.get(reply[0])
            if take is not None:
                take(reply)
        elif isinstance(reply, RedisError):
            self._refuse(reply)
        return True

    def _refuse(self, error: RedisError) -> None:
        if self._at_once > 1 or not self._due:
            if self._link is not None:
                self._link.cut()  # it may be about many channels, or about us: begin again
            return
        is_wanted, name = self._due.popleft()
        if is_wanted:
            self._reports.refused(name, error)

    def _hear(self, reply: list[Any]) -> None:
        self._reports.heard(reply[1], reply[2])

    def _confirm(self, reply: list[Any]) -> None:
        if self._due and self._due[0] == (True, reply[1]):
            self._due.popleft()
        self._reports.confirmed(reply[1], self.address)

    def _end_one(self, reply: list[Any]) -> None:
        if self._due and self._due[0] == (False, reply[1]):
            self._due.popleft()
        else:
            self._reports.dropped(reply[1], self.address)
