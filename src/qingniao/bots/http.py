"""A platform's HTTP interface, as adapters use it. Owns the way from its faults to `BotError`s.

Refuses to know a platform: each adapter says by a `Reading` what a status and a body mean. Rule: an
HTTP 200 proves nothing; a body is believed only after its media type and its content were looked
at.
"""

import email.utils
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotTimeout,
    BotUnavailable,
    QueryRejected,
    ReplyTruncated,
)
from qingniao.bots.fields import decoded, says
from qingniao.outgoing.client import Ask, Outgoing, Received, Upload
from qingniao.outgoing.errors import (
    AddressRefused,
    AnswerTooLong,
    BrokenOff,
    NoAnswer,
    OutgoingError,
    Redirected,
)
from qingniao.outgoing.sse import EventReader, ServerEvent

__all__ = [
    "JSON_EVENT",
    "Endpoint",
    "EventStream",
    "Reading",
    "bearer",
    "by_status",
]

Reading = Callable[[int, dict[str, Any], float], BotError | None]
"""(status, decoded body, seconds to wait) → what is wrong, or `None` if nothing is."""

JSON_EVENT: Final = "json"
"""The name under which a whole JSON body is given by a server that was asked to stream and did
not."""

_UNSAID: Final = frozenset({"", "text/plain", "application/octet-stream"})
_BEGINNINGS: Final = (b"event:", b"data:", b"id:", b":")
_MAX_WAIT_S: Final = 120.0


class EventStream:
    """The events of one answer, in order. Raises `OutgoingError` in the middle; inside of
    `Endpoint.events` that becomes a `BotError`."""

    def __init__(
        self, received: Received | None, ready: Sequence[ServerEvent] = (), *, first: bytes = b""
    ) -> None:
        self._received = received
        self._reader = EventReader()
        self._ready = deque((*ready, *self._reader.feed(first)))

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> ServerEvent:
        while not self._ready:
            if self._received is None:
                raise StopAsyncIteration
            chunk = await self._received.chunk()
            if chunk:
                self._ready.extend(self._reader.feed(chunk))
            else:
                self._received = None
                self._ready.extend(self._reader.end())
        return self._ready.popleft()


class Endpoint:
    """One platform at one address, with one key.

    `headers` go with each request; `reading` maps the platform's own faults, before the general
    meaning of the status is used. Raises `BotMisconfigured` for an address that cannot be read.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        base_url: str,
        *,
        reading: Reading,
        headers: Mapping[str, str] | None = None,
        connect_s: float = 5.0,
        idle_s: float = 60.0,
    ) -> None:
        self._outgoing = outgoing
        self._base = base_url.rstrip("/")
        self._reading = reading
        self._headers = dict(headers or {})
        self._connect_s = connect_s
        self._idle_s = idle_s
        try:
            self.host = urlsplit(self._base).hostname or self._base
        except ValueError as exc:
            raise BotMisconfigured("This is not an address: it cannot be read.") from exc

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        upload: Upload | None = None,
        form: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One question, one JSON object; empty for 204. Raises `BotError`."""
        ask = self._ask(method, path, body, params, headers, upload, form)
        try:
            async with self._outgoing.ask(ask) as received:
                return await self._whole(received)
        except OutgoingError as exc:
            raise _fault(exc, has_begun=False) from exc

    def events(
        self, path: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[EventStream]:
        """Post and read what is streamed. A server that answers with JSON instead gives one event
        called `JSON_EVENT`. Raises `BotError`, on entry and in the middle."""
        return self._events(path, body, headers)

    @asynccontextmanager
    async def _events(
        self, path: str, body: object, headers: Mapping[str, str] | None
    ) -> AsyncIterator[EventStream]:
        sent = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **(headers or {})}
        ask = self._ask("POST", path, body, None, sent, None, None)
        has_begun = False
        try:
            async with self._outgoing.ask(ask) as received:
                is_stream = received.media_type == "text/event-stream"
                first = b""
                if received.status == 200 and received.media_type in _UNSAID:
                    # FastGPT tells its errors as events and forgets to say that they are.
                    first = await received.chunk()
                    is_stream = first.lstrip().startswith(_BEGINNINGS)
                if received.status == 200 and is_stream:
                    has_begun = True
                    yield EventStream(received, first=first)
                else:
                    whole = await self._whole(received, first)
                    only = ServerEvent(JSON_EVENT, msgspec.json.encode(whole).decode())
                    yield EventStream(None, (only,))
        except OutgoingError as exc:
            raise _fault(exc, has_begun=has_begun) from exc

    def _ask(
        self,
        method: str,
        path: str,
        body: object,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        upload: Upload | None,
        form: Mapping[str, str] | None,
    ) -> Ask:
        head = {"Accept": "application/json", **self._headers, **(headers or {})}
        if not all(value.isprintable() for value in head.values()):
            raise BotMisconfigured("The key holds a line break, or another sign that no key has.")
        encoded = None
        if body is not None:
            head["Content-Type"] = "application/json"
            encoded = _encoded(body)
        return Ask(
            method=method,
            url=self._base + path,
            headers=head,
            params=params or {},
            body=encoded,
            upload=upload,
            form=form or {},
            connect_s=self._connect_s,
            idle_s=self._idle_s,
        )

    async def _whole(self, received: Received, first: bytes = b"") -> dict[str, Any]:
        content = first + await received.read()
        wait_s = _retry_after_s(received.header("retry-after"))
        body = decoded(content)
        said = body if body is not None else {}
        fault = self._reading(received.status, said, wait_s)
        if fault is not None:
            raise fault
        if received.status >= 400:
            raise by_status(self.host, received.status, wait_s)
        if body is None and content.strip():
            if _is_html(received.media_type, content):
                raise BotMisconfigured(
                    f"{self.host} answered with a web page: this is the address of a site, not of "
                    "its interface."
                )
            raise BotGarbled(
                f"What {self.host} answered cannot be read: is it of the kind that was chosen?"
            )
        return said


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def by_status(host: str, status: int, wait_s: float = 0.0, said: str = "") -> BotError:
    """What an HTTP status means when the body does not say more. `said` is the platform's own
    word."""
    word = says(said)
    match status:
        case 401 | 403:
            return BotMisconfigured(f"{host} does not accept the key.{word}")
        case 402:
            return BotOverQuota(f"The account at {host} has nothing left.{word}")
        case 404 | 405:
            return BotMisconfigured(
                f"{host} knows no such thing: is the address, the application or the model right?"
                f"{word}"
            )
        case 408 | 504 | 524:
            return BotTimeout(f"{host} did not manage to answer in time.{word}")
        case 413:
            return QueryRejected(f"The question is too long for {host}.{word}")
        case 429:
            return BotBusy(f"{host} is asked too often.{word}", retry_after_s=wait_s)
        case 503 | 529 if wait_s:
            return BotBusy(f"{host} is overloaded.{word}", retry_after_s=wait_s)
    if status >= 500:
        return BotUnavailable(f"{host} failed inside (HTTP {status}).{word}")
    return QueryRejected(f"{host} refuses the question (HTTP {status}).{word}")


def _encoded(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which some keyboards send: no platform could read it.
        return msgspec.json.encode(_mended(msgspec.to_builtins(body)))


def _mended(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {key: _mended(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_mended(inner) for inner in value]
    return value


def _is_html(media_type: str, content: bytes) -> bool:
    start = content[:256].lstrip().lower()
    return media_type == "text/html" or start.startswith((b"<!doctype html", b"<html"))


def _retry_after_s(header: str) -> float:
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), _MAX_WAIT_S) if seconds == seconds else 0.0


def _fault(exc: OutgoingError, *, has_begun: bool) -> BotError:
    match exc:
        case AddressRefused() | Redirected():
            return BotMisconfigured(str(exc))
        case AnswerTooLong():
            return BotGarbled(str(exc))
        case NoAnswer():
            return BotTimeout(str(exc))
        case BrokenOff() if has_begun:
            return ReplyTruncated(str(exc))
    return BotUnavailable(str(exc))
