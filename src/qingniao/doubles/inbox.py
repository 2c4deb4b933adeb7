"""Requests of one connection, taken apart: bytes in, whole requests out.

Owns the bounds on what a client may send. Rule: beyond a bound the connection ends, as for bytes
that are no HTTP.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, unquote

import httptools

from qingniao.doubles.messages import Request

__all__ = ["MAX_BODY_BYTES", "Inbox"]

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_MAX_WAITING: Final = 16
"""Requests that one connection may have sent ahead."""


class Inbox:
    """The callbacks of the parser; `ready` fills with requests. `go_on` is called for a client that
    waits to be told to send its body.
    """

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._parser = httptools.HttpRequestParser(self)
        self.ready: list[Request] = []

    def feed(self, data: bytes) -> None:
        """Raises `HttpParserError` for what is no HTTP, too large or too far ahead."""
        self._parser.feed_data(data)
        if len(self.ready) > _MAX_WAITING:
            raise httptools.HttpParserError("too many requests ahead")

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._go_on()

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            raise httptools.HttpParserError("body too large")

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        self.ready.append(
            Request(
                method=self._parser.get_method().decode(),
                path=unquote(path),
                query=dict(parse_qsl(query, keep_blank_values=True)),
                headers=self._headers,
                body=bytes(self._body),
                keeps_alive=self._parser.should_keep_alive(),
            )
        )
