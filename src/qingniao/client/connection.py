"""The socket under a client: greets, answers pings, and comes back when it may.

Owns the one socket there is and the pauses between two; refuses to look into frames that are about
conversations. Rule: only the server, or whoever closes the client, ends it; everything else that
can happen to a connection is followed by another attempt.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from qingniao.errors import QingniaoError
from qingniao.protocol.codec import Codec
from qingniao.protocol.codes import comes_back
from qingniao.protocol.frames import Bye, DownFrame, Hello, Ping, Pong, UpFrame, Welcome

__all__ = ["Closed", "Connection"]

_BACKOFF_S: Final = 0.2
_CONNECT_S: Final = 10.0
_WELCOME_S: Final = 10.0
"""A server that is silent for twice as long after the handshake is taken for gone."""


class Closed(QingniaoError):
    """The connection ended and must not be opened again."""

    code = "closed"


class _Socket(WSListener):
    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            code = frame.get_close_code() if frame.payload_size else WSCloseCode.OK
            self.connection._told_to_go(code, frame.get_close_message())  # type: ignore[arg-type]
            transport.send_close(code)
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.BINARY, WSMsgType.TEXT):
            self.connection._receive(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        self.connection._lost()


class Connection:
    """One socket after the other to the server at `url`. What happens on them is told on the event
    loop, by four calls."""

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], Awaitable[str]],
        codec: Codec,
        local_address: str | None,
        backoff_max_s: float,
        hello: Callable[[str], Hello],
        hear: Callable[[DownFrame], None],
        lost: Callable[[], None],
        ended: Callable[[Closed], None],
    ) -> None:
        """`hello` makes of a token what each new socket says first; `hear` gets every frame. After
        `lost`, what was sent may or may not have arrived. After `ended` no other socket follows;
        it is called again for every further reason."""
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/ws"
        self._token = token
        self._codec = codec
        self._local_address = local_address
        self._backoff_max_s = backoff_max_s
        self._hello, self._hear = hello, hear
        self._on_lost, self._on_ended = lost, ended
        self.connects = 0
        """Sockets opened so far."""
        self.ended: Closed | None = None
        """The first reason why there will be no other socket."""
        self._socket: _Socket | None = None
        self._down = asyncio.Event()
        self._wait_s = 0.0
        self._beat_s = _WELCOME_S
        self._patience: asyncio.Timeout | None = None
        self._heard_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the first socket, and another whenever one is lost, until `close`."""
        self._task = asyncio.create_task(self._run())

    def send(self, frame: UpFrame) -> None:
        """Send now, or never: without a socket the frame is dropped."""
        socket = self._socket
        if socket is not None and socket.transport is not None:
            kind = WSMsgType.BINARY if self._codec.is_binary else WSMsgType.TEXT
            socket.transport.send(kind, self._codec.encode(frame))

    def drop(self) -> None:
        """Break the socket as a bad network would."""
        if self._socket is not None and self._socket.transport is not None:
            self._socket.transport.disconnect(graceful=False)

    async def close(self) -> None:
        """Stop for good."""
        self._end(Closed("The client was closed."))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._socket is not None and self._socket.transport is not None:
            self._socket.transport.disconnect()

    async def _run(self) -> None:
        attempt = 0
        while self.ended is None:
            try:
                await self._connect()
                attempt = 0
                await self._until_down()
            except (OSError, TimeoutError, QingniaoError) as exc:
                if isinstance(exc, Closed):
                    self._end(exc)
                    return
            except Exception:  # noqa: S110  # a handshake refused: the server is starting
                pass
            # Full jitter: clients of a server that comes back must not come back together.
            top = min(self._backoff_max_s, _BACKOFF_S * 2**attempt)
            attempt += 1
            await asyncio.sleep(max(self._wait_s, random.uniform(0.02, top)))  # noqa: S311
            self._wait_s = 0.0

    async def _until_down(self) -> None:
        """Until the socket is lost. One that says nothing at all is given up: where the network has
        died without a word, waiting would never end. The server pings sooner than that."""
        loop = asyncio.get_running_loop()
        while not self._down.is_set():
            try:
                async with asyncio.timeout(self._beat_s) as self._patience:
                    await self._down.wait()
            except TimeoutError:
                silence_s = loop.time() - self._heard_at
                if silence_s >= 2 * self._beat_s:
                    self.drop()
                elif silence_s >= self._beat_s / 2:
                    self.send(Ping(0))
            finally:
                self._patience = None

    async def _connect(self) -> None:
        token = self._token if isinstance(self._token, str) else await self._token()
        self._down.clear()
        where: dict[str, Any] = {}
        if self._local_address:
            where["local_addr"] = (self._local_address, 0)
        async with asyncio.timeout(_CONNECT_S):
            _, socket = await ws_connect(
                lambda: _Socket(self), self._url, use_aiofastnet=False, enable_auto_pong=True,
                extra_headers={"Sec-WebSocket-Protocol": self._codec.name}, **where,
            )  # fmt: skip
        if socket is None:
            # picows calls a handshake complete when the connection ends in the middle of it.
            raise ConnectionResetError("The connection ended during the handshake.")
        self._socket = cast("_Socket", socket)
        self.connects += 1
        self._beat_s = _WELCOME_S
        self._heard_at = asyncio.get_running_loop().time()
        self.send(self._hello(token))

    def _receive(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        frame = self._codec.down(data)
        if frame is None:
            return
        match frame:
            case Ping():
                self.send(Pong(frame.number))
            case Welcome():
                self._beat_s = frame.limits.beat_ms / 1000
                if self._patience is not None and not self._patience.expired():
                    # It began to wait before it knew how long.
                    self._patience.reschedule(self._heard_at + self._beat_s)
            case Bye():
                self._wait_s = frame.retry_after_ms / 1000
                self._told_to_go(frame.code, frame.text)
        self._hear(frame)

    def _told_to_go(self, code: int, why: str | bytes | None) -> None:
        if not comes_back(code):
            text = why.decode(errors="replace") if isinstance(why, bytes) else why
            self._end(Closed(text or f"The server closed with {code}."))

    def _lost(self) -> None:
        self._on_lost()
        self._down.set()

    def _end(self, why: Closed) -> None:
        self.ended = self.ended or why
        self._on_ended(why)
