"""A gateway over the real log and the bus in memory, and raw sockets to speak to it.

Owns the wiring for tests; refuses to know what they claim. Rule: nothing is faked but the tokens:
`"v:7"` is visitor 7 with conversation 7, `"a:3"` is agent 3.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from qingniao.bus.base import Fanout, Published
from qingniao.bus.memory import MemoryFanout, MemoryPresence, MemoryWorkQueue
from qingniao.client import Client
from qingniao.clock import wall_ms
from qingniao.config import GatewayConfig, PipelineConfig, WireConfig
from qingniao.gateway.ports import GatewayServices, Who
from qingniao.gateway.server import GatewayServer
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol import frames
from qingniao.protocol.codec import JSON, MSGPACK, Codec
from qingniao.storage.messages_rocksdb import RocksMessageLog

DEADLINE_S = 5.0


async def until(claim: Callable[[], object], *, within_s: float = DEADLINE_S) -> None:
    """Wait for a claim to come true; fails with its source when it does not."""
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.005)


class LosingFanout:
    """`Fanout` that loses what `loses` picks, as a bus over a network may."""

    def __init__(self) -> None:
        self._inner = MemoryFanout()
        self.loses: Callable[[Published], bool] = lambda _: False

    is_whole = True

    def publish(self, item: Published) -> None:
        if not self.loses(item):
            self._inner.publish(item)

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        return self._inner.subscribe(deliver)

    async def follow(self, conversation: int) -> None:
        await self._inner.follow(conversation)

    def unfollow(self, conversation: int) -> None:
        self._inner.unfollow(conversation)


async def hello_app(scope: Any, receive: Any, send: Any) -> None:
    """The HTTP side: answers `ok` and the length of the request's body."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = f"ok {size}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def by_prefix(token: str, about: dict[str, str]) -> Who | None:
    """Tokens of the tests."""
    kind, _, number = token.partition(":")
    if kind == "v":
        return Who(visitor=f"visitor-{number}", conversation=int(number))
    if kind == "a":
        return Who(agent=int(number), name=f"客服{number}", session=f"session-{number}")
    return None


class GatewayHouse:
    """Everything behind one port."""

    def __init__(
        self,
        folder: Path,
        *,
        wire: dict[str, Any] | None = None,
        gateway: dict[str, Any] | None = None,
        pipeline: dict[str, Any] | None = None,
        fanout: Fanout | None = None,
        authenticate: Any = by_prefix,
        log: RocksMessageLog | None = None,
        proxies: frozenset[str] = frozenset(),
    ) -> None:
        self.folder = folder
        self.log = log or RocksMessageLog(folder)
        self.fanout = fanout or MemoryFanout()
        self.work = MemoryWorkQueue()
        self.presence = MemoryPresence()
        self.wire = WireConfig(**{"rate": 1e6, "agent_rate": 1e6, **(wire or {})})
        self.config = GatewayConfig(
            **{"inbox_interval_ms": 10, "drain_ms": 1_000, **(gateway or {})}
        )
        self.pipeline = Pipeline(
            self.log, self.fanout, self.work, wall_ms, PipelineConfig(**(pipeline or {}))
        )
        self.server = GatewayServer(
            GatewayServices(
                self.log, self.pipeline, self.fanout, self.presence, authenticate, wall_ms,
                self.config, self.wire, proxies,
            ),
            hello_app,
        )  # fmt: skip
        self.hub = self.server.hub
        self.port = 0
        self.intake: asyncio.Task[None] | None = None
        self._open: list[Any] = []

    async def open(self) -> None:
        """Serve."""
        self.port = await self.server.start("127.0.0.1", 0)
        self.resume_intake()

    def resume_intake(self) -> None:
        """Let the pipeline commit."""
        self.intake = asyncio.create_task(self.pipeline.run())

    async def stop_intake(self) -> None:
        """Let what is sent wait."""
        if self.intake is not None:
            self.intake.cancel()
            await asyncio.gather(self.intake, return_exceptions=True)
            self.intake = None

    async def close(self) -> None:
        """Close clients, then the server, then the log."""
        for one in self._open:
            await one.close()
        await self.server.close()
        await self.stop_intake()
        await self.log.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str, **options: Any) -> Client:
        """Our client, not yet connected."""
        return Client(self.url, token=token, **options)

    async def raw(self, codec: Codec = MSGPACK, **options: Any) -> "Raw":
        """An independent WebSocket, before hello."""
        options.setdefault("subprotocols", [codec.name])
        options.setdefault("max_size", None)
        socket = await connect(
            f"ws://127.0.0.1:{self.port}/ws", compression=None, ping_interval=None, proxy=None,
            close_timeout=0.2, **options,
        )  # fmt: skip
        raw = Raw(socket, codec)
        self._open.append(raw)
        return raw

    async def greet(
        self,
        token: str,
        *,
        device: str = "d1",
        cursors: list[tuple[int, int]] | None = None,
        codec: Codec = MSGPACK,
        **options: Any,
    ) -> "Raw":
        """The same, after welcome (kept in `welcome`)."""
        raw = await self.raw(codec, **options)
        await raw.say(frames.Hello(token, device, cursors or []))
        raw.welcome = await raw.next(frames.Welcome)
        return raw


class Raw:
    """A `websockets` connection that speaks frames; keeps everything received in `got`."""

    def __init__(self, socket: ClientConnection, codec: Codec) -> None:
        self.socket = socket
        self.codec = codec
        self.got: list[Any] = []
        self.welcome: frames.Welcome

    async def say(self, frame: Any) -> None:
        """Send one frame."""
        data = self.codec.encode(frame)
        await self.socket.send(data if self.codec.is_binary else data.decode())

    async def hear(self) -> Any:
        """The next frame, whatever it is."""
        async with asyncio.timeout(DEADLINE_S):
            data = await self.socket.recv()
        assert isinstance(data, bytes) is self.codec.is_binary
        frame = self.codec.down(data if isinstance(data, bytes) else data.encode())
        self.got.append(frame)
        return frame

    async def next(self, kind: Any, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next frame of a kind, skipping others."""
        while True:
            frame = await self.hear()
            if isinstance(frame, kind) and where(frame):
                return frame

    async def settled(self, number: int = 77) -> list[Any]:
        """Everything that came until the server answered a ping sent now."""
        start = len(self.got)
        await self.say(frames.Ping(number))
        await self.next(frames.Pong, lambda pong: pong.number == number)
        return self.got[start:-1]

    async def closed(self) -> int:
        """The code with which the server closes; everything before it is kept in `got`."""
        with contextlib.suppress(Exception):
            while True:
                await self.hear()
        async with asyncio.timeout(DEADLINE_S):
            await self.socket.wait_closed()
        return int(self.socket.close_code or 0)

    async def close(self) -> None:
        """Leave."""
        await self.socket.close()


__all__ = [
    "DEADLINE_S", "JSON", "MSGPACK", "GatewayHouse", "LosingFanout", "Raw", "msgspec", "until",
]  # fmt: skip
