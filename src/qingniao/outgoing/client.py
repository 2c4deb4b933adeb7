"""Asking another machine over HTTP. Owns connections, their limits and their deadlines.

Refuses redirects (they would carry keys elsewhere), proxies from the environment and cookies. Rule:
a connection is opened only to an address that the guard has seen, and the guard sees the address
itself: a name that leads elsewhere a moment later leads nowhere.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from msgspec import Struct

import qingniao
from qingniao.outgoing.errors import (
    AddressRefused,
    AnswerTooLong,
    BrokenOff,
    NoAnswer,
    OutgoingError,
    Redirected,
    Unreachable,
)
from qingniao.outgoing.guard import Guard

__all__ = ["Ask", "Outgoing", "Received", "Upload"]

MAX_BODY_BYTES: Final = 8_388_608
_KEEP_S: Final = 30.0
_AGENT: Final = f"qingniao/{qingniao.__version__}"


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


class Received:
    """The head of an answer, and its body as it comes."""

    def __init__(self, host: str, response: aiohttp.ClientResponse) -> None:
        self._host = host
        self._response = response
        self.status = response.status

    @property
    def media_type(self) -> str:
        """Such as `text/event-stream`; empty when the server does not say."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """A header's value, or the empty string."""
        return self._response.headers.get(name, "")

    async def chunk(self) -> bytes:
        """The next piece of the body as it arrives; empty at its end. Raises `NoAnswer`,
        `BrokenOff`."""
        try:
            return await self._response.content.readany()
        except Exception as exc:
            raise _read_fault(self._host, exc) from exc

    async def read(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body. Raises `AnswerTooLong` above `limit`, `NoAnswer`, `BrokenOff`."""
        parts: list[bytes] = []
        size = 0
        while chunk := await self.chunk():
            size += len(chunk)
            if size > limit:
                raise AnswerTooLong(f"{self._host} answered with more than {limit:,} bytes.")
            parts.append(chunk)
        return b"".join(parts)


class Outgoing:
    """The client of the process. Open it inside of the event loop and close it there.

    `connections` bounds all of them, `connections_each` those to one machine; above it a request
    waits for its turn until its own deadline.
    """

    def __init__(
        self, guard: Guard, *, connections: int = 2_000, connections_each: int = 1_000
    ) -> None:
        self._guard = guard
        self._connections = connections
        self._connections_each = connections_each
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Break off what is under way. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def ask(self, ask: Ask) -> AbstractAsyncContextManager[Received]:
        """Send a request; its answer is open inside of the block and broken off at its end, unless
        it has been read whole. Raises `OutgoingError`."""
        return self._ask(ask)

    @asynccontextmanager
    async def _ask(self, ask: Ask) -> AsyncIterator[Received]:
        self._guard.check(ask.url)
        host = urlsplit(ask.url).hostname or ""
        session = self._opened()
        try:
            response = await session.request(
                ask.method,
                ask.url,
                params=ask.params or None,
                data=ask.body if ask.upload is None else _form(ask.form, ask.upload),
                headers={"User-Agent": _AGENT, **ask.headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=ask.connect_s,
                    sock_read=ask.idle_s,
                ),
            )
        except Exception as exc:
            raise _request_fault(host, exc) from exc
        try:
            if 300 <= response.status < 400:
                raise _redirected(host, response.headers.get("Location", ""), self._guard)
            yield Received(host, response)
        finally:
            # Read whole, the connection has gone back already; otherwise this breaks it off, which
            # is what tells the other side to stop.
            response.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                limit_per_host=self._connections_each,
                keepalive_timeout=_KEEP_S,
                resolver=_GuardedResolver(self._guard),
                use_dns_cache=False,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                raise_for_status=False,
                skip_auto_headers=("User-Agent",),
            )
        return self._session


class _GuardedResolver(AbstractResolver):
    """Resolves names and lets only admitted addresses through; the connection goes to exactly the
    addresses that it returns."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = ThreadedResolver(asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        admitted = [one for one in found if self._guard.admits(host, one["host"])]
        if found and not admitted:
            raise self._guard.refusal(host)
        return admitted

    async def close(self) -> None:
        await self._inner.close()


def _form(fields: Mapping[str, str], upload: Upload) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field(
        upload.field, upload.content, filename=upload.name, content_type=upload.media_type
    )
    return form


def _request_fault(host: str, exc: Exception) -> Exception:
    refused = _refusal_in(exc)
    if refused is not None:
        return refused
    match exc:
        case OutgoingError():
            return exc
        case aiohttp.ConnectionTimeoutError():
            return Unreachable(f"{host} does not take a connection.")
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"There is no machine called {host}.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return Unreachable(f"{host} could not prove who it is: its certificate is not valid.")
        case aiohttp.ClientConnectorError():
            return Unreachable(
                f"{host} does not take connections: it is down, or its port differs."
            )
        case aiohttp.InvalidURL():
            return AddressRefused("This is not an address: it cannot be read.")
        case aiohttp.ServerDisconnectedError():
            return BrokenOff(f"{host} closed the connection without an answer.")
    return _read_fault(host, exc)


def _read_fault(host: str, exc: Exception) -> Exception:
    match exc:
        case TimeoutError():
            return NoAnswer(f"{host} stayed silent for too long.")
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | ConnectionError():
            return BrokenOff(f"{host} broke off in the middle.")
        case aiohttp.ClientResponseError():
            return Unreachable(f"{host} does not speak HTTP.")
        case aiohttp.ClientError() | OSError():
            return Unreachable(f"{host} cannot be asked.")
    return exc


def _refusal_in(exc: BaseException | None) -> AddressRefused | None:
    seen = 0
    while exc is not None and seen < 8:
        if isinstance(exc, AddressRefused):
            return exc
        exc, seen = exc.__cause__ or exc.__context__, seen + 1
    return None


def _redirected(host: str, location: str, guard: Guard) -> OutgoingError:
    try:
        target = urlsplit(location).hostname or host
        if urlsplit(location).hostname:
            guard.check(location)
    except AddressRefused:
        return AddressRefused(
            f"{host} points to an address inside this network. It is not followed."
        )
    except ValueError:
        target = "an address that cannot be read"
    return Redirected(
        f"{host} points to {target}, and keys are not carried there. Enter the right address."
    )
