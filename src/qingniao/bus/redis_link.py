"""One connection to one Redis server. Owns its socket and which reply belongs to which command.

Refuses to reconnect or to know other servers. Rule: whatever was sent is answered, or its sender
hears `BusAway` when the deadline has passed or the connection ends; nothing waits longer.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis

from qingniao.bus.redis_url import Address, Servers
from qingniao.errors import QingniaoError

__all__ = ["BusAway", "Link", "RedisError", "Word", "command", "connect"]

Word = bytes | str | int
RedisError = hiredis.ReplyError
"""What a server answered instead of a result; arrives as a value."""

_LOOK_S: Final = 0.5


class BusAway(QingniaoError):
    """The bus does not answer."""

    code = "bus"
    temporary = True


def command(*words: Word) -> bytes:
    """A command as it travels."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub: of one word
    return packed


Taken = Callable[[Any], None]
"""Called with each reply in turn, and with a `BusAway` for every one that will not come."""


class Link(asyncio.Protocol):
    """Commands go out in order, replies come back in order: a pipeline without an end."""

    def __init__(self, address: Address, deadline_s: float) -> None:
        self.address = address
        self.on_push: Callable[[Any], bool] | None = None
        """Sees everything first; True if it was not an answer to what was sent with `send`."""
        self.on_lost: Callable[[], None] | None = None
        self.sent_bytes = 0
        """Of commands that are not answered yet, about."""
        self.patient = False
        """Does it wait for commands that block on purpose? Then nothing is late."""
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[int, Taken, float, int]] = deque()
        """Replies that are due: how many, to whom, since when, of how many bytes."""
        self._watch: asyncio.TimerHandle | None = None

    @property
    def is_up(self) -> bool:
        """Can something be sent?"""
        return self._transport is not None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._watch = self._loop.call_later(_LOOK_S, self._look)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError:
            self.cut()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, deque()
        self.sent_bytes = 0
        for count, taken, _, _ in waiting:
            for _ in range(count):
                taken(BusAway())
        if self.on_lost is not None:
            self.on_lost()

    def _take(self, reply: Any) -> None:
        if self.on_push is not None and self.on_push(reply):
            return
        if not self._waiting:
            self.cut()  # nobody asked: the two sides do not understand each other
            return
        count, taken, since, size = self._waiting[0]
        if count == 1:
            self._waiting.popleft()
            self.sent_bytes -= size
        else:
            self._waiting[0] = (count - 1, taken, since, size)
        taken(reply)

    def _look(self) -> None:
        self._watch = self._loop.call_later(_LOOK_S, self._look)
        if self._waiting and not self.patient:
            since = self._waiting[0][2]
            if self._loop.time() - since > self._deadline_s:
                self.cut()

    # What its owner calls.

    def send(self, data: bytes, count: int, taken: Taken) -> None:
        """`count` commands; `taken` has their replies one by one, at the latest when the
        connection ends. On a link that is down, at once."""
        if self._transport is None:
            for _ in range(count):
                taken(BusAway())
            return
        self._waiting.append((count, taken, self._loop.time(), len(data)))
        self.sent_bytes += len(data)
        self._transport.write(data)

    def push(self, data: bytes) -> None:
        """Commands whose answers `on_push` sees."""
        if self._transport is not None:
            self._transport.write(data)

    async def ask(self, *words: Word) -> Any:
        """One command's reply. Errors of the server are returned. Raises `BusAway`."""
        (reply,) = await self.ask_all([command(*words)])
        return reply

    async def ask_all(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies of many, in order. Raises `BusAway`."""
        if not commands:
            return []
        replies: list[Any] = []
        whole: asyncio.Future[None] = self._loop.create_future()

        def taken(reply: Any) -> None:
            replies.append(reply)
            if len(replies) == len(commands) and not whole.done():
                whole.set_result(None)

        self.send(b"".join(commands), len(commands), taken)
        await whole
        for reply in replies:
            if isinstance(reply, BusAway):
                raise reply
        return replies

    def cut(self) -> None:
        """End it now; whoever waits hears so."""
        if self._transport is not None:
            self._transport.abort()


async def connect(
    address: Address, servers: Servers, context: ssl.SSLContext | None, deadline_s: float
) -> Link:
    """A link that has been let in. Raises `BusAway`, also when the password is wrong."""
    loop = asyncio.get_running_loop()
    link: Link | None = None
    try:
        async with asyncio.timeout(deadline_s):
            _, link = await loop.create_connection(
                lambda: Link(address, deadline_s),
                *address,
                ssl=context,
                server_hostname=address[0] if context else None,
            )
            await _introduce(link, servers)
            return link
    except (OSError, TimeoutError) as exc:
        if link is not None:
            link.cut()
        raise BusAway(f"{address[0]}:{address[1]} does not answer.") from exc
    except BaseException:
        if link is not None:
            link.cut()
        raise


async def _introduce(link: Link, servers: Servers) -> None:
    if servers.password:
        who = (servers.user, servers.password) if servers.user else (servers.password,)
        said = await link.ask("AUTH", *who)
        # Sentinels are often open where their servers are not.
        if isinstance(said, RedisError) and "without any password" not in str(said):
            raise BusAway(f"{link.address[0]}:{link.address[1]} refuses the password.")
    if servers.database:
        said = await link.ask("SELECT", servers.database)
        if isinstance(said, RedisError):
            raise BusAway(f"{link.address[0]}:{link.address[1]}: {said}")
