"""aiohttp, behind `Outgoing`: sessions, connections, and what its errors mean.

Refuses to judge an address: the guard does, and it is asked where names become addresses. Rule: the
connection goes to exactly the addresses that the guard admitted; a name that leads elsewhere a
moment later leads nowhere.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

import qingniao
from qingniao.outgoing.client import MAX_BODY_BYTES, Ask, Upload
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

__all__ = ["Engine"]

_KEEP_S: Final = 30.0
_AGENT: Final = f"qingniao/{qingniao.__version__}"


class _Received:
    """Implements `Received`."""

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


class Engine:
    """One session with its connections. Made inside of the event loop."""

    def __init__(self, guard: Guard, connections: int, connections_each: int) -> None:
        self._guard = guard
        connector = aiohttp.TCPConnector(
            limit=connections,
            limit_per_host=connections_each,
            keepalive_timeout=_KEEP_S,
            resolver=_GuardedResolver(guard),
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            raise_for_status=False,
            skip_auto_headers=("User-Agent",),
        )

    async def close(self) -> None:
        """Break off what is under way."""
        await self._session.close()

    @asynccontextmanager
    async def ask(self, ask: Ask) -> AsyncIterator[_Received]:
        """See `Outgoing.ask`; the address has been judged already as far as it can be read."""
        host = urlsplit(ask.url).hostname or ""
        try:
            response = await self._session.request(
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
            yield _Received(host, response)
        finally:
            # Read whole, the connection has gone back already; otherwise this breaks it off, which
            # is what tells the other side to stop.
            response.close()


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
