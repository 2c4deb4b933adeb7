"""A port in front of another: takes connections, and ends all of them when it is left.

Owns the listening and the tasks of what is carried; refuses to know what a connection goes through
(`network.py`: between people and a server; `drills/ways.py`: between processes). Rule: nothing that
was accepted outlives it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Self

__all__ = ["CONNECT_S", "Relay", "hung_up"]

CONNECT_S: Final = 10.0
"""For the far side to take a connection."""
_LINGER_S: Final = 1.0


class Relay(ABC):
    """Listens on `port` of 127.0.0.1 as long as it is entered."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until it ends, and close it."""


async def hung_up(writers: Sequence[asyncio.StreamWriter]) -> None:
    """What a side may still read is read; who does not read is not waited for."""
    for writer in writers:
        writer.close()
    try:
        async with asyncio.timeout(_LINGER_S):
            await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)
    except TimeoutError:
        for writer in writers:
            writer.transport.abort()
