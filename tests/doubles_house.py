"""Doubles for any test, and a client that takes what comes, byte by byte.

Rule: the client reads event streams in a way of its own; it shares nothing with the adapters.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

StartDouble = Callable[..., Awaitable[Any]]
"""`await start_double(OpenAIDouble, dialect="qwen")`: a kind of `Double`, how it is made."""


class Heard:
    """One answer: status, headers, the pieces as they came, and how it ended."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: httpx.Headers = httpx.Headers()
        self.pieces: list[bytes] = []
        self.failure: httpx.HTTPError | None = None

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Names (or nothing) and data, JSON read where it is."""
        return read_events(self.text)


def read_events(text: str) -> list[tuple[str, Any]]:
    """An event stream, taken apart."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if name or data:
            found.append((name, _read("\n".join(data))))
    return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Client:
    """Asks one address."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(
        self, method: str, url: str, body: Any = None, *, key: str = "", **more: Any
    ) -> Heard:
        heard = Heard()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            more["json"] = body
        try:
            async with self._http.stream(method, url, headers=headers, **more) as reply:
                heard.status, heard.headers = reply.status_code, reply.headers
                async for piece in reply.aiter_raw():
                    heard.pieces.append(piece)
        except httpx.HTTPError as exc:
            heard.failure = exc
        return heard
