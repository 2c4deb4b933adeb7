"""A network that misbehaves on command: a TCP relay that delays, slices, cuts and goes deaf.

Owns the relayed connections; refuses to change a byte, for TCP does not either. Rule: what a hole
swallows is held, not lost: when the link heals it is passed on, as a network would send it again.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from qingniao.testing.relay import CONNECT_S, Relay, hung_up

__all__ = ["Cut", "Link", "Manners", "Meddler", "Network", "Way"]

_CHUNK_BYTES: Final = 65_536
_HELD_BYTES: Final = 1 << 20
"""Held for one direction of a link with a hole; above it the relay stops reading."""

_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]

Way = Literal["up", "down"]
"""From the client to the server, or back."""


class Cut(Exception):
    """Raised by a meddler: break this connection now."""


Meddler = Callable[[int, str], bool]
"""(connection number from 1, a WebSocket frame of the server as text) → let it through?"""


@dataclass(slots=True)
class Manners:
    """How a network treats each piece that it carries. Chances are of one piece."""

    delay_s: float = 0.0
    """Each piece waits up to so long, in its order."""
    slice_bytes: int = 0
    """Pieces are of 1 to so many bytes; 0: as they come."""
    cut_chance: float = 0.0
    """The connection ends here, with RST as often as with FIN."""
    arrived: Callable[[int], None] | None = None
    """Hears the size of each piece that has arrived, in bytes."""


class Link:
    """One connection through the network."""

    def __init__(self, manners: Manners, chance: random.Random, meddle: Meddler | None) -> None:
        self.number = 0
        """Counts the WebSockets of a network from 1; 0 for anything else."""
        self.manners = manners
        """The network's, unless replaced."""
        self.is_cut = False
        self.ended: set[Way] = set()
        """The ways whose source has closed; in a hole, the other end does not hear of it."""
        self._chance = chance
        self._meddle = meddle
        self._passes: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.heal()
        self._writers: list[asyncio.StreamWriter] = []

    def hole(self, *ways: Way) -> None:
        """From now on nothing arrives any more that way (without any: both), and nobody is told."""
        for way in ways or ("up", "down"):
            self._passes[way].clear()

    def heal(self) -> None:
        """What was held arrives, and what comes."""
        for passes in self._passes.values():
            passes.set()

    def cut(self, *, rst: bool = True) -> None:
        """End it at both sides: at once, or after what was passed on."""
        self.is_cut = True
        for writer in self._writers:
            if rst:
                raw = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    # Without lingering, closing a socket resets the connection.
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def carry(self, head: bytes, near: _End, far: _End) -> None:
        """Relay both ways, the client's `head` first, until one side ends; then the other is told,
        if it can be."""
        self._writers = [near[1], far[1]]
        is_meddled = self._meddle is not None and self.number > 0
        down = _frames(far[0], self._let_through) if is_meddled else _chunks(far[0])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._relay("up", _after(head, near[0]), far[1]))
            tasks.create_task(self._relay("down", down, near[1]))

    def _let_through(self, frame: bytes) -> bool:
        return self._meddle is None or self._meddle(self.number, frame.decode("utf-8", "replace"))

    async def _relay(
        self, way: Way, source: AsyncIterator[bytes], writer: asyncio.StreamWriter
    ) -> None:
        # What is held lies between two tasks, so that a hole still sees the source end.
        held = _Held()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take(way, source, held))
            while chunk := await held.next():
                for piece in self._pieces(chunk):
                    await self._passes[way].wait()
                    if self.manners.delay_s:
                        await asyncio.sleep(self._chance.uniform(0, self.manners.delay_s))
                    if self._chance.random() < self.manners.cut_chance:
                        raise Cut
                    await self._give(way, writer, piece)
                    if self.manners.arrived is not None:
                        self.manners.arrived(len(piece))
                    await asyncio.sleep(0)  # the next piece is a packet of its own
            await self._passes[way].wait()
            writer.write_eof()

    async def _give(self, way: Way, writer: asyncio.StreamWriter, piece: bytes) -> None:
        try:
            writer.write(piece)
            await writer.drain()
        except OSError:
            # That its target is gone is told the other way.
            await self._passes["down" if way == "up" else "up"].wait()
            raise

    async def _take(self, way: Way, source: AsyncIterator[bytes], held: "_Held") -> None:
        try:
            async for chunk in source:
                await held.put(chunk)
        except OSError:
            self.ended.add(way)
            await self._passes[way].wait()
            raise
        self.ended.add(way)
        held.end()

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(chunk):
            most = self.manners.slice_bytes
            size = self._chance.randint(1, most) if most else len(chunk)
            yield chunk[at : at + size]
            at += size


@dataclass(slots=True)
class _Held:
    """Bytes between the two halves of a relay. Bounded (policy: the source waits)."""

    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    is_over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, chunk: bytes) -> None:
        while self.size > _HELD_BYTES:
            self.changed.clear()
            await self.changed.wait()
        self.chunks.append(chunk)
        self.size += len(chunk)
        self.changed.set()

    def end(self) -> None:
        self.is_over = True
        self.changed.set()

    async def next(self) -> bytes:
        """Everything held; empty at the end."""
        while not self.chunks and not self.is_over:
            self.changed.clear()
            await self.changed.wait()
        whole = b"".join(self.chunks)
        self.chunks.clear()
        self.size = 0
        self.changed.set()
        return whole


class Network(Relay):
    """Relays `url` to the server at `target` as long as it is entered."""

    def __init__(self, target: str, meddle: Meddler | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self._host, port = re.findall(r"//(.+):(\d+)", target)[0]
        self._port = int(port)
        self._meddle = meddle
        self._chance = random.Random(seed)  # noqa: S311  the same faults in every run
        self.manners = Manners()
        self.links: list[Link] = []
        """Those that are open, the oldest first."""
        self.connections = self.cuts = 0
        """WebSockets made, and whatever was broken, so far."""
        self.url = ""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def behave(
        self, *, delay_s: float = 0.0, slice_bytes: int = 0, cut_chance: float = 0.0
    ) -> None:
        """Treat everything so from now on, on open connections too; well, without arguments."""
        manners = self.manners
        manners.delay_s, manners.slice_bytes = delay_s, slice_bytes
        manners.cut_chance = cut_chance

    def cut(self, *, rst: bool = True) -> None:
        """End every connection there is."""
        for link in list(self.links):
            self.cuts += 1
            link.cut(rst=rst)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self.manners, self._chance, self._meddle)
        self.links.append(link)
        writers = [writer]
        try:
            async with asyncio.timeout(CONNECT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                far = await asyncio.open_connection(self._host, self._port)
            writers.append(far[1])
            if b"upgrade: websocket" in head.lower():
                self.connections += 1
                link.number = self.connections
            await link.carry(head, (reader, writer), far)
        except* Cut:
            self.cuts += 1
            link.cut(rst=self._chance.random() < 0.5)
        except* (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # one side has ended it
        finally:
            self.links.remove(link)
            await hung_up(writers)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while data := await reader.read(_CHUNK_BYTES):
        yield data


async def _after(head: bytes, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for chunk in _chunks(reader):
        yield chunk


async def _frames(
    reader: asyncio.StreamReader, let_through: Callable[[bytes], bool]
) -> AsyncIterator[bytes]:
    """The answer to the handshake, then every frame that the meddler lets through."""
    yield await reader.readuntil(b"\r\n\r\n")
    while True:
        head = await reader.readexactly(2)
        size = head[1] & 0x7F  # a server's frames are not masked
        if size >= 126:
            more = await reader.readexactly(2 if size == 126 else 8)
            head, size = head + more, int.from_bytes(more, "big")
        payload = await reader.readexactly(size)
        if let_through(payload):
            yield head + payload
