"""Opens WebSockets for a crowd: one attempt at a time for each person, many at once.

Owns addresses and sockets; refuses to decide whether to try again. Rule: an attempt ends within a
deadline, with a connection or without.
"""

import asyncio
import random
import socket
from typing import Any, Final
from urllib.parse import urlsplit

from picows import ws_connect

from qingniao.errors import StartError
from qingniao.load.person import Person, Slow
from qingniao.protocol.codec import MSGPACK

__all__ = ["Opener"]

_CONNECT_S: Final = 20.0
_AT_ONCE: Final = 512
"""Handshakes under way at the same time."""
_READ_BUFFER: Final = 2_048
_SLOW_BUFFER: Final = 4_096
_SLOW_SEGMENT: Final = 1_460
"""What the kernel may keep for a slow reader, and segments as on Ethernet: with loopback's of 64 KB
the server's kernel would take megabytes for each before the server noticed anything."""


class Opener:
    """Connects to one server, from each of the local addresses in turn."""

    def __init__(self, url: str, sources: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        self._url = f"{'wss' if is_secure else 'ws'}://{parts.netloc}/ws"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if is_secure else 80)
        self._more: dict[str, Any] = {"server_hostname": self._host} if is_secure else {}
        self._family = socket.AF_INET
        self._address: Any = None
        self._sources = sources
        # Processes begin at different addresses.
        self._turn = random.randrange(1 + len(sources))  # noqa: S311
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def find(self) -> None:
        """Look the server's address up, once for all. Raises `StartError`."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise StartError(f"The server {self._host} cannot be found: {exc}.") from exc
        self._family, self._address = found[0][0], found[0][4]

    async def open(self, person: Person) -> bool:
        """Is it connected now? It says hello by itself."""
        async with self._room:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    _, listener = await ws_connect(
                        lambda: person, self._url, socket_factory=lambda _: self._socket(person),
                        use_aiofastnet=False, read_buffer_init_size=_READ_BUFFER,
                        websocket_handshake_timeout=_CONNECT_S,
                        extra_headers={"Sec-WebSocket-Protocol": MSGPACK.name}, **self._more,
                    )  # fmt: skip
            except Exception:  # refused, reset, not a WebSocket, out of time: all the same here
                return False
            # picows calls a handshake complete when the connection ends in the middle of it.
            return listener is not None

    async def _socket(self, person: Person) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if isinstance(person, Slow):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SLOW_SEGMENT)
            if self._sources:
                self._turn += 1
                made.bind((self._sources[self._turn % len(self._sources)], 0))
            await asyncio.get_running_loop().sock_connect(made, self._address)
        except BaseException:
            made.close()
            raise
        return made
