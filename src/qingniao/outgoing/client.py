"""Asking another machine over HTTP: what is asked, what comes back, and the client of a process.

The library behind it is loaded when somebody is asked for the first time: an installation without
outside bots never pays for it. Rule: a connection is opened only to an address that the guard has
seen, and redirects, proxies of the environment and cookies are nobody's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from qingniao.outgoing.guard import Guard

if TYPE_CHECKING:
    from qingniao.outgoing.engine import Engine

__all__ = ["MAX_BODY_BYTES", "Ask", "Outgoing", "Received", "Upload"]

MAX_BODY_BYTES = 8_388_608


class Upload(Struct, frozen=True, kw_only=True):
    """A file as a field of a form."""

    name: str
    content: bytes
    media_type: str
    field: str = "file"


class Ask(Struct, frozen=True, kw_only=True):
    """One request. Either `body` or `form` with `upload`, or none."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    params: Mapping[str, str] = {}
    body: bytes | None = None
    form: Mapping[str, str] = {}
    upload: Upload | None = None
    connect_s: float = 5.0
    """Until connected: its turn, the look-up of the name and TLS included."""
    idle_s: float = 60.0
    """The longest silence while waiting for the answer or in the middle of it."""


class Received(Protocol):
    """The head of an answer, and its body as it comes."""

    @property
    def status(self) -> int: ...

    @property
    def media_type(self) -> str:
        """Such as `text/event-stream`; empty when the server does not say."""
        ...

    def header(self, name: str) -> str:
        """A header's value, or the empty string."""
        ...

    async def chunk(self) -> bytes:
        """The next piece of the body as it arrives; empty at its end. Raises `NoAnswer`,
        `BrokenOff`."""
        ...

    async def read(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. Raises `AnswerTooLong` above `limit`, `NoAnswer`, `BrokenOff`."""
        ...


class Outgoing:
    """The client of the process.

    `connections` bounds all of them, `connections_each` those to one machine; above it a request
    waits for its turn as long as it may take to connect.
    """

    def __init__(
        self, guard: Guard, *, connections: int = 2_000, connections_each: int = 1_000
    ) -> None:
        self._guard = guard
        self._connections = connections
        self._connections_each = connections_each
        self._engine: Engine | None = None

    async def close(self) -> None:
        """Break off what is under way. May be called twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    def ask(self, ask: Ask) -> AbstractAsyncContextManager[Received]:
        """Send a request; its answer is open inside of the block and broken off at its end, unless
        it has been read whole. Raises `OutgoingError`."""
        return self._ask(ask)

    @asynccontextmanager
    async def _ask(self, ask: Ask) -> AsyncIterator[Received]:
        self._guard.check(ask.url)
        engine = self._engine or await self._opened()
        async with engine.ask(ask) as received:
            yield received

    async def _opened(self) -> "Engine":
        # Loading it takes a tenth of a second or two, which the loop has not got.
        module = await asyncio.to_thread(import_module, "qingniao.outgoing.engine")
        if self._engine is None:
            self._engine = module.Engine(self._guard, self._connections, self._connections_each)
        return self._engine
