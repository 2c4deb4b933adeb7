"""A client as its user holds it: says, follows, hears.

Owns which half of the client a frame is for; refuses to keep anything that a half keeps. Rule: a
frame reaches `on_frame` after the client has understood it, and a repeated entry does not reach it.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Self

from qingniao.client.connection import Closed, Connection
from qingniao.client.incoming import Incoming
from qingniao.client.outgoing import Outgoing, Receipt
from qingniao.protocol.codec import MSGPACK, Codec
from qingniao.protocol.frames import (
    Ack,
    Body,
    Busy,
    DownFrame,
    Entry,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Read,
    State,
    Typing,
    Welcome,
)

__all__ = ["Client"]


class Client:
    """One device of a visitor or an agent. `token` may be a string or an async function that makes
    a fresh one for every connection (agents' tickets). `backoff_max_s` bounds the pause between
    two tries to connect."""

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], Awaitable[str]],
        device: str = "",
        codec: Codec = MSGPACK,
        on_frame: Callable[[DownFrame], None] | None = None,
        local_address: str | None = None,
        backoff_max_s: float = 10.0,
    ) -> None:
        self.device = device or secrets.token_urlsafe(6)
        self._on_frame = on_frame
        self._connection = Connection(
            url, token=token, codec=codec, local_address=local_address,
            backoff_max_s=backoff_max_s, hello=self._hello,
            hear=self._hear, lost=self._lost, ended=self._ended,
        )  # fmt: skip
        self._incoming = Incoming(self._connection.send)
        self._outgoing = Outgoing(self._connection.send)
        self._ready = asyncio.Event()

    @property
    def cursors(self) -> dict[int, int]:
        """Conversation → last `seq` received; set before connecting to resume."""
        return self._incoming.cursors

    @property
    def states(self) -> dict[int, dict[str, Any]]:
        """Conversation → what is known about it, as in `state` frames."""
        return self._incoming.states

    @property
    def connects(self) -> int:
        """Connections opened so far."""
        return self._connection.connects

    @property
    def duplicates(self) -> int:
        """Entries that came again and were not handed on."""
        return self._incoming.duplicates

    @property
    def gaps(self) -> int:
        """How often something was missing and asked for."""
        return self._incoming.gaps

    async def __aenter__(self) -> Self:
        self._connection.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ready(self, timeout_s: float = 30) -> None:
        """Wait for `welcome`. Raises `Closed` when the server says to stop, or `TimeoutError`."""
        if self._connection.ended is None:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        if self._connection.ended is not None:
            raise self._connection.ended

    async def send(self, conversation: int, body: Body, kind: int = EntryType.TEXT) -> Receipt:
        """Send and wait until it is stored. Raises `NotTaken` or `Closed`."""
        return await self.post(conversation, body, kind)

    def post(
        self, conversation: int, body: Body, kind: int = EntryType.TEXT
    ) -> asyncio.Future[Receipt]:
        """Send without waiting; messages of one conversation keep this order."""
        return self._outgoing.post(conversation, body, kind)

    def follow(self, conversation: int) -> None:
        """Receive a conversation from the last entry held; again after every reconnect."""
        self.cursors.setdefault(conversation, 0)
        if self._ready.is_set():
            self._connection.send(Follow(conversation, self.cursors[conversation]))

    def read(self, conversation: int, seq: int) -> None:
        """Everything up to `seq` was seen."""
        self._connection.send(Read(conversation, seq))

    def typing(self, conversation: int, *, on: bool, preview: str = "") -> None:
        """Say that somebody is writing."""
        self._connection.send(Typing(conversation, on, preview))

    def history(self, conversation: int, before: int, limit: int = 50) -> None:
        """Ask for a `Page` of older entries."""
        self._connection.send(History(conversation, before, limit))

    def drop(self) -> None:
        """Break the connection as a bad network would; the client comes back by itself."""
        self._connection.drop()

    async def close(self) -> None:
        """Stop for good. Unacked messages end with `Closed`."""
        await self._connection.close()

    def _hello(self, token: str) -> Hello:
        return Hello(token, self.device, self._incoming.held())

    def _hear(self, frame: DownFrame) -> None:
        match frame:
            case Entry():
                if not self._incoming.take(frame):
                    return
            case Ack():
                is_the_entry = self._outgoing.acked(frame)
                self._incoming.acked(frame, is_the_entry=is_the_entry)
            case Welcome():
                self._welcomed(frame)
            case State():
                self._incoming.stated(frame.conversation, frame.fields)
                self._number(frame.conversation, frame.fields)
            case Busy():
                self._outgoing.busy(frame)
            case Error():
                self._outgoing.refused(frame)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _lost(self) -> None:
        self._ready.clear()
        self._outgoing.pause()

    def _ended(self, why: Closed) -> None:
        self._outgoing.end(why)
        self._ready.set()

    def _welcomed(self, welcome: Welcome) -> None:
        for conversation, fields in welcome.conversations:
            self._number(conversation, fields)
        self._ready.set()
        self._incoming.resume(welcome.conversations)
        self._outgoing.resume(welcome.limits.credit)

    def _number(self, conversation: int, fields: dict[str, Any]) -> None:
        if "n" in fields:
            self._outgoing.number_after(conversation, fields["n"])
