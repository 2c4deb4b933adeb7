"""The Python client: a conversation over one socket that mends itself.

    async with Client("http://127.0.0.1:8080", token=token, on_frame=print) as client:
        receipt = await client.send(conversation, "怎么退货")

Owns numbering, what is unacked, cursors and reconnecting. Rule: `send` returns once the message is
on the server's disk, however often the connection broke in between; frames arrive in `seq` order,
each entry once.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, Final, Self, cast

from msgspec import Struct
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from qingniao.errors import QingniaoError
from qingniao.protocol.codec import MSGPACK, Codec
from qingniao.protocol.codes import Code, comes_back
from qingniao.protocol.frames import (
    Ack,
    Body,
    Busy,
    Bye,
    DownFrame,
    Entry,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Ping,
    Pong,
    Read,
    Send,
    State,
    Typing,
    Welcome,
)

__all__ = ["Client", "Closed", "NotTaken", "Receipt"]

_BACKOFF_S: Final = 0.2
_BACKOFF_MAX_S: Final = 10.0
_CONNECT_S: Final = 10.0


class NotTaken(QingniaoError):
    """The server will never store this message."""

    code = "not_taken"


class Closed(QingniaoError):
    """The connection ended and must not be opened again."""

    code = "closed"


class Receipt(Struct, frozen=True):
    """The message is stored as entry `seq`; 0 when only a later one's `seq` was told. `repeats`
    counts how often it had to be sent again."""

    conversation: int
    n: int
    seq: int
    repeats: int


class _Pending:
    __slots__ = ("body", "conversation", "done", "is_out", "n", "repeats", "type")

    def __init__(self, conversation: int, n: int, kind: int, body: Body) -> None:
        self.conversation, self.n, self.type, self.body = conversation, n, kind, body
        self.repeats = -1
        self.is_out = False
        self.done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()


class _Socket(WSListener):
    def __init__(self, client: "Client") -> None:
        self.client = client
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            code = frame.get_close_code() if frame.payload_size else WSCloseCode.OK
            self.client._told_to_go(code, frame.get_close_message())  # type: ignore[arg-type]
            transport.send_close(code)
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.BINARY, WSMsgType.TEXT):
            self.client._receive(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        self.client._lost()


class Client:
    """One device of a visitor or an agent. `token` may be a string or an async function that makes
    a fresh one for every connection (agents' tickets)."""

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], Awaitable[str]],
        device: str = "",
        codec: Codec = MSGPACK,
        on_frame: Callable[[DownFrame], None] | None = None,
        local_address: str | None = None,
    ) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/ws"
        self._token = token
        self.device = device or secrets.token_urlsafe(6)
        self._codec = codec
        self._on_frame = on_frame
        self._local_address = local_address
        self.cursors: dict[int, int] = {}
        """Conversation → last `seq` received; set before connecting to resume."""
        self.states: dict[int, dict[str, Any]] = {}
        self._numbers: dict[int, int] = {}
        self._pending: dict[int, dict[int, _Pending]] = {}
        self._socket: _Socket | None = None
        self._down = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop: Closed | None = None
        self._wait_s = 0.0
        self._mending: set[int] = set()
        self._credit = 1
        self._windows: dict[int, int] = {}
        self._blocked: dict[int, asyncio.TimerHandle] = {}
        self.connects = self.duplicates = self.gaps = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ready(self, timeout_s: float = 30) -> None:
        """Wait for `welcome`. Raises `Closed` when the server says to stop, or `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            await self._ready.wait()
        if self._stop is not None:
            raise self._stop

    async def send(self, conversation: int, body: Body, kind: int = EntryType.TEXT) -> Receipt:
        """Send and wait until it is stored. Raises `NotTaken` or `Closed`."""
        return await self.post(conversation, body, kind)

    def post(
        self, conversation: int, body: Body, kind: int = EntryType.TEXT
    ) -> asyncio.Future[Receipt]:
        """Send without waiting; messages of one conversation keep this order."""
        n = self._numbers.get(conversation, 0) + 1
        self._numbers[conversation] = n
        pending = _Pending(conversation, n, kind, body)
        if self._stop is not None:
            pending.done.set_exception(self._stop)
            return pending.done
        self._pending.setdefault(conversation, {})[n] = pending
        self._fill(conversation)
        return pending.done

    def follow(self, conversation: int) -> None:
        """Receive a conversation from the last entry held; again after every reconnect."""
        self.cursors.setdefault(conversation, 0)
        if self._ready.is_set():
            self._out(Follow(conversation, self.cursors[conversation]))

    def read(self, conversation: int, seq: int) -> None:
        """Everything up to `seq` was seen."""
        self._out(Read(conversation, seq))

    def typing(self, conversation: int, *, on: bool, preview: str = "") -> None:
        """Say that somebody is writing."""
        self._out(Typing(conversation, on, preview))

    def history(self, conversation: int, before: int, limit: int = 50) -> None:
        """Ask for a `Page` of older entries."""
        self._out(History(conversation, before, limit))

    def drop(self) -> None:
        """Break the connection as a bad network would; the client comes back by itself."""
        if self._socket is not None and self._socket.transport is not None:
            self._socket.transport.disconnect(graceful=False)

    async def close(self) -> None:
        """Stop for good. Unacked messages end with `Closed`."""
        self._fail(Closed("The client was closed."))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._socket is not None and self._socket.transport is not None:
            self._socket.transport.disconnect()

    async def _run(self) -> None:
        attempt = 0
        while self._stop is None:
            try:
                await self._connect()
                attempt = 0
                await self._down.wait()
            except (OSError, TimeoutError, QingniaoError) as exc:
                if isinstance(exc, Closed):
                    self._fail(exc)
                    return
            except Exception:  # noqa: S110  # a handshake refused: the server is starting
                pass
            self._ready.clear()
            # Full jitter: clients of a server that comes back must not come back together.
            top = min(_BACKOFF_MAX_S, _BACKOFF_S * 2**attempt)
            attempt += 1
            await asyncio.sleep(max(self._wait_s, random.uniform(0.02, top)))  # noqa: S311
            self._wait_s = 0.0

    async def _connect(self) -> None:
        token = self._token if isinstance(self._token, str) else await self._token()
        self._down.clear()
        where: dict[str, Any] = {}
        if self._local_address:
            where["local_addr"] = (self._local_address, 0)
        async with asyncio.timeout(_CONNECT_S):
            _, listener = await ws_connect(
                lambda: _Socket(self), self._url, use_aiofastnet=False, enable_auto_pong=True,
                extra_headers={"Sec-WebSocket-Protocol": self._codec.name}, **where,
            )  # fmt: skip
        if listener is None:
            # picows calls a handshake complete when the connection ends in the middle of it.
            raise ConnectionResetError("The connection ended during the handshake.")
        self._socket = cast("_Socket", listener)
        self.connects += 1
        cursors = [(c, seq) for c, seq in self.cursors.items() if c]
        self._out(Hello(token, self.device, cursors))

    def _told_to_go(self, code: int, why: str | bytes | None) -> None:
        if not comes_back(code):
            text = why.decode(errors="replace") if isinstance(why, bytes) else why
            self._fail(Closed(text or f"The server closed with {code}."))

    def _lost(self) -> None:
        self._ready.clear()
        self._down.set()

    def _fail(self, why: Closed) -> None:
        self._stop = self._stop or why
        for numbered in self._pending.values():
            for pending in numbered.values():
                if not pending.done.done():
                    pending.done.set_exception(why)
                    pending.done.exception()  # nobody has to be waiting for it
        self._pending.clear()
        self._ready.set()

    def _out(self, frame: Any) -> None:
        socket = self._socket
        if socket is not None and socket.transport is not None:
            kind = WSMsgType.BINARY if self._codec.is_binary else WSMsgType.TEXT
            socket.transport.send(kind, self._codec.encode(frame))

    def _fill(self, conversation: int) -> None:
        """Have as much under way as the server takes, the oldest first: after `busy` one message,
        and twice as many with every ack, up to the credit."""
        if not self._ready.is_set() or conversation in self._blocked:
            return
        numbered = self._pending.get(conversation, {})
        window = self._windows.get(conversation, self._credit)
        for pending in list(islice(numbered.values(), window)):
            if not pending.is_out:
                pending.is_out = True
                pending.repeats += 1
                self._out(Send(pending.conversation, pending.n, pending.type, pending.body))

    def _resend(self, conversation: int) -> None:
        timer = self._blocked.pop(conversation, None)
        if timer is not None:
            timer.cancel()
        for pending in self._pending.get(conversation, {}).values():
            pending.is_out = False
        self._fill(conversation)

    def _receive(self, data: bytes) -> None:
        frame = self._codec.down(data)
        if frame is None or (isinstance(frame, Entry) and not self._take(frame)):
            return
        match frame:
            case Ack():
                self._acked(frame.conversation, frame.n, frame.seq)
            case Welcome():
                self._welcomed(frame)
            case State():
                self._stated(frame.conversation, frame.fields)
            case Busy():
                self._windows[frame.conversation] = 1
                self._block(frame.conversation, frame.retry_after_ms)
            case Error():
                self._refused(frame)
            case Ping():
                self._out(Pong(frame.number))
            case Bye():
                self._wait_s = frame.retry_after_ms / 1000
                self._told_to_go(frame.code, frame.text)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _take(self, entry: Entry) -> bool:
        have = self.cursors.get(entry.conversation, 0)
        if entry.seq <= have:
            self.duplicates += 1
            return False
        if entry.seq != have + 1:
            self._mend(entry.conversation, have)
            return False
        self._mending.discard(entry.conversation)
        self.cursors[entry.conversation] = entry.seq
        return True

    def _mend(self, conversation: int, have: int) -> None:
        """Something is missing: ask for it, once however much follows the gap."""
        if conversation not in self._mending:
            self._mending.add(conversation)
            self.gaps += 1
            self._out(Follow(conversation, have))

    def _stated(self, conversation: int, fields: dict[str, Any]) -> None:
        self.states.setdefault(conversation, {}).update(fields)
        if "n" in fields:
            self._number_after(conversation, fields["n"])
        first = fields.get("from")
        if first is not None:
            self.cursors[conversation] = max(self.cursors.get(conversation, 0), first - 1)

    def _welcomed(self, welcome: Welcome) -> None:
        self._mending.clear()
        self._credit = welcome.limits.credit
        self._windows.clear()
        for conversation, fields in welcome.conversations:
            self.cursors.setdefault(conversation, 0)
            self._stated(conversation, fields)
        self._ready.set()
        for conversation in (c for c in self.cursors if c == 0):
            self._out(Follow(conversation))
        for conversation in list(self._pending):
            self._resend(conversation)

    def _number_after(self, conversation: int, n: int) -> None:
        """The server holds `n` messages of this device: what was never sent comes after them."""
        numbered = self._pending.get(conversation, {})
        unsent = [pending for pending in numbered.values() if pending.repeats < 0]
        first = max([n, *(p.n for p in numbered.values() if p.repeats >= 0)]) + 1
        if not unsent:
            self._numbers[conversation] = max(self._numbers.get(conversation, 0), n)
        elif unsent[0].n < first:
            self._renumber(conversation, unsent, first)

    def _renumber(self, conversation: int, moved: list[_Pending], first: int) -> None:
        numbered = self._pending[conversation]
        for pending in moved:
            numbered.pop(pending.n, None)
        for number, pending in enumerate(moved, first):
            pending.n = number
            numbered[number] = pending
        self._numbers[conversation] = first + len(moved) - 1

    def _acked(self, conversation: int, n: int, seq: int) -> None:
        numbered = self._pending.get(conversation, {})
        # What an action became is an entry of its own, told before the ack.
        is_the_entry = n in numbered and numbered[n].type != EntryType.ACTION
        for number in [k for k in numbered if k <= n]:
            pending = numbered.pop(number)
            if not pending.done.done():
                of_it = seq if number == n else 0
                pending.done.set_result(Receipt(conversation, number, of_it, pending.repeats))
        if conversation in self._windows:
            self._windows[conversation] = min(self._credit, self._windows[conversation] * 2)
        self._fill(conversation)
        have = self.cursors.get(conversation)
        if have is None or seq <= have:
            return  # not followed, or known
        if is_the_entry and seq == have + 1:
            self._mending.discard(conversation)
            self.cursors[conversation] = seq
        else:
            self._mend(conversation, have)

    def _block(self, conversation: int, wait_ms: int) -> None:
        if conversation not in self._blocked:
            loop = asyncio.get_running_loop()
            self._blocked[conversation] = loop.call_later(
                wait_ms / 1000, self._resend, conversation
            )

    def _refused(self, error: Error) -> None:
        numbered = self._pending.get(error.conversation, {})
        if not error.n or error.n not in numbered:
            return
        if error.temporary:
            self._block(error.conversation, 1_000)
            return
        if error.code == Code.HOLE:
            first = error.expected
        else:
            first = error.n
            refused = numbered.pop(first)
            if not refused.done.done():
                refused.done.set_exception(NotTaken(error.text))
        # What was sent before it is on its way to the disk and keeps its number.
        behind = min(first, error.n)
        waiting = [pending for pending in numbered.values() if pending.n >= behind]
        # The refused number was not used: what follows moves up.
        self._renumber(error.conversation, waiting, first)
        self._block(error.conversation, 50)
