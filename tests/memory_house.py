"""A whole gateway without a kernel: time, sockets and disk are in memory and in the test's hands.

Owns a loop whose clock moves when it is told to, sockets that carry as many bytes as they are told
to, and a message log of `decide` and `fold` whose disk fails when it is told to. Everything else is
the real thing, picows included. Rule: nothing happens by itself, and the same steps give the same
result.
"""

import asyncio
import logging
import selectors
import socket
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from gateway_house import LosingFanout, by_prefix, hello_app
from raw_wire import CLOSE, Heard, heard, request

from qingniao.bus.memory import MemoryPresence, MemoryWorkQueue
from qingniao.chat.head import Head, fold
from qingniao.chat.intake import Decision, Intent, Message, decide
from qingniao.chat.ports import MARKS_AT_ONCE, ReadMark, Role
from qingniao.config import GatewayConfig, PipelineConfig, WireConfig
from qingniao.errors import StorageError
from qingniao.gateway.front import Front
from qingniao.gateway.heart import Heart
from qingniao.gateway.hub import Hub
from qingniao.gateway.ports import GatewayServices
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Entry
from qingniao.protocol.session import Phase

__all__ = ["BEGIN_MS", "Faults", "MemoryHouse", "MemoryLog", "Plug", "StillLoop", "converse"]

BEGIN_MS = 1_795_500_000_000


class _StillSelector(selectors.DefaultSelector):
    """Never waits: lets the loop's clock jump to the next timer, or the loop stop."""

    loop: "StillLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout > 0:
            self.loop.jump(timeout)
        return []


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop in which time stands still, except in `pass_s`."""

    def __init__(self) -> None:
        selector = _StillSelector()
        selector.loop = self
        self._now = 0.0
        self._until = 0.0
        super().__init__(selector)
        # The real clock's resolution would make timers early.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def jump(self, timeout_s: float | None) -> None:
        """There is nothing to do now: on to the next timer, or enough."""
        if timeout_s is None or self._now + timeout_s > self._until:
            self._now = self._until
            self.stop()
        else:
            self._now += timeout_s

    def pass_s(self, seconds: float = 0.0) -> None:
        """Do everything there is to do within so many seconds from now."""
        self._until = self._now + seconds
        self.run_forever()

    def finish(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end, which must not need time."""
        task = self.create_task(work)
        self.pass_s()
        return task.result()

    def end(self) -> None:
        """Cancel everything and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self.pass_s(60)
        assert all(task.done() for task in tasks), tasks
        self.close()


class Faults(logging.Handler):
    """Collects what our code and picows swallow and log; a storage error is not a fault."""

    _LOGGERS = ("picows", "qingniao", "asyncio")

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[BaseException] = []
        for name in self._LOGGERS:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it if an exception is behind it."""
        exc = record.exc_info[1] if record.exc_info else None
        if exc is not None and not isinstance(exc, StorageError):
            self.found.append(exc)

    def check(self) -> None:
        """Raise what was swallowed first."""
        if self.found:
            raise self.found[0]

    def close(self) -> None:
        """Stop listening."""
        for name in self._LOGGERS:
            logging.getLogger(name).removeHandler(self)
        super().close()


class MemoryLog:
    """`MessageLog` in memory. `fails` makes the next commit raise: `"before"` it is stored, or
    `"after"`, as when a power cut hides what the disk has done. `is_stuck` holds it up."""

    def __init__(self) -> None:
        self.stored: dict[int, list[tuple[Entry, str, int]]] = {}
        self.fails = ""
        self.is_stuck = False
        self._heads: dict[int, Head] = {}
        self._encode = msgspec.msgpack.Encoder().encode

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """See `MessageLog.commit`."""
        while self.is_stuck:
            await asyncio.sleep(0.001)
        fails, self.fails = self.fails, ""
        if fails == "before":
            raise StorageError
        decisions = []
        for intent in intents:
            head = self._heads.get(intent.conversation)
            if head is None and isinstance(intent, Message) and intent.visitor:
                head = Head(intent.conversation, intent.visitor)
            if head is None:
                no = Decision(intent, [], code=Code.NOT_YOURS, text="No such conversation.")
                decisions.append(no)
                continue
            decision = decide(head, intent, now_ms)
            decision.frames = [self._encode(entry) for entry in decision.entries]
            for entry in decision.entries:
                self._heads[intent.conversation] = decision.head = head
                lines = self.stored.setdefault(intent.conversation, [])
                lines.append((entry, decision.device, decision.n))
                fold(head, entry, decision.device, decision.n)
            decisions.append(decision)
        if fails == "after":
            raise StorageError
        return decisions

    async def head(self, conversation: int) -> Head | None:
        """See `MessageLog.head`."""
        return self._heads.get(conversation)

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """See `MessageLog.heads`."""
        return {c: self._heads[c] for c in conversations if c in self._heads}

    async def sent(self, conversation: int, device: str) -> int:
        """See `MessageLog.sent`."""
        return max((n for _, d, n in self.stored.get(conversation, ()) if d == device), default=0)

    async def read(self, conversation: int, after: int, limit: int) -> list[bytes]:
        """See `MessageLog.read`."""
        return [self._encode(entry) for entry in await self.entries(conversation, after, limit)]

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """See `MessageLog.entries`."""
        lines = self.stored.get(conversation, [])
        return [entry for entry, _, _ in lines[max(0, after) : max(0, after) + limit]]

    async def advanced(self, known: Mapping[int, int]) -> dict[int, int]:
        """See `MessageLog.advanced`."""
        heads = await self.heads(known)
        return {c: head.last for c, head in heads.items() if head.last > known[c]}

    async def mark_read(self, marks: Sequence[ReadMark]) -> dict[int, tuple[int, int]]:
        """See `MessageLog.mark_read`."""
        news = {}
        for conversation, is_agent, seq in marks:
            head = self._heads.get(conversation)
            if head is None:
                continue
            before = (head.read_visitor, head.read_agent)
            seq = min(seq, head.last)
            if is_agent:
                head.read_agent = max(head.read_agent, seq)
            else:
                head.read_visitor = max(head.read_visitor, seq)
            after = (head.read_visitor, head.read_agent)
            if after != before:
                news[conversation] = after
        return news

    async def marked(self, role: Role, after: int = 0, limit: int = MARKS_AT_ONCE) -> list[int]:
        """See `MessageLog.marked`: no worker is here to owe anything."""
        return []

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """See `MessageLog.clear`."""

    async def flush_reads(self) -> None:
        """See `MessageLog.flush_reads`."""

    async def close(self) -> None:
        """See `MessageLog.close`."""


class Plug(asyncio.Transport):
    """The server's end of a socket in memory. What it writes waits in `out` until `take`."""

    # picows writes to the file descriptor itself unless the connection is encrypted: "encrypted".
    _extra: dict[str, Any]
    _socket: socket.socket | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any) -> None:
        super().__init__()
        if Plug._socket is None:
            Plug._socket = socket.socket()
        self._extra = {"socket": Plug._socket, "ssl_object": True}
        self._loop = loop
        self._protocol = protocol
        self._closing = self._paused = False
        self._in = b""
        self.out = bytearray()
        self.is_lost = False
        """The server was told that the connection is over."""
        protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        """Bytes arrive from the client; while the server does not read, they wait."""
        self._in += data
        while self._in and not self._paused and not self._closing:
            if isinstance(self._protocol, asyncio.BufferedProtocol):
                room = self._protocol.get_buffer(-1)
                size = min(len(room), len(self._in))
                room[:size] = self._in[:size]
                self._in = self._in[size:]
                self._protocol.buffer_updated(size)
            else:
                data, self._in = self._in, b""
                self._protocol.data_received(data)

    def take(self, size: int | None = None) -> bytes:
        """Up to `size` bytes reach the client."""
        data = bytes(self.out[:size])
        del self.out[: len(data)]
        if self._closing and not self.out:
            self._lose()
        return data

    def vanish(self) -> None:
        """The server hears that the connection broke."""
        self.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._extra.get(name, default)

    def get_write_buffer_size(self) -> int:
        return len(self.out)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol  # type: ignore[no-any-return]

    def write(self, data: Any) -> None:
        if not self.is_lost:
            self.out += data

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for data in list_of_data:
            self.write(data)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        if self._in:
            self._loop.call_soon(self.feed, b"")

    def close(self) -> None:
        self._closing = True
        if not self.out:
            self._lose()

    def abort(self) -> None:
        self._closing = True
        self.out.clear()
        self._lose()

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._loop.call_soon(self._protocol.connection_lost, None)


class MemoryHouse:
    """A gateway process; `log` and `fanout` may outlive it."""

    @classmethod
    def started(cls, loop: StillLoop, log: MemoryLog, **options: dict[str, Any]) -> "MemoryHouse":
        """One that was made on its loop, as the real one is."""

        async def make() -> MemoryHouse:
            return cls(loop, log, **options)

        house: MemoryHouse = loop.finish(make())
        return house

    def __init__(
        self,
        loop: StillLoop,
        log: MemoryLog,
        *,
        wire: dict[str, Any] | None = None,
        gateway: dict[str, Any] | None = None,
        pipeline: dict[str, Any] | None = None,
    ) -> None:
        self.loop, self.log = loop, log
        self.fanout = LosingFanout()
        self.presence = MemoryPresence()
        self.wire = WireConfig(**{"rate": 1e6, "agent_rate": 1e6, **(wire or {})})
        config = GatewayConfig(**(gateway or {}))
        work = PipelineConfig(**(pipeline or {}))
        self.pipeline = Pipeline(log, self.fanout, MemoryWorkQueue(), self.clock, work)
        services = GatewayServices(
            log, self.pipeline, self.fanout, self.presence, by_prefix, self.clock, config, self.wire
        )
        self.hub = Hub(services)
        self.heart = Heart(self.hub, self.wire.beat_ms, self.wire.hello_ms)
        self.fanout.subscribe(self.hub.deliver)
        self._front = Front(self.hub.services.config, hello_app, self.hub)
        self._intake = loop.create_task(self.pipeline.run())
        self.plugs: list[Plug] = []

    def clock(self) -> int:
        """The wall clock, which goes with the loop's."""
        return BEGIN_MS + round(self.loop.time() * 1000)

    def plug(self) -> Plug:
        """A socket that was just accepted. Call it on the loop."""
        plug = Plug(self.loop, self._front())
        self.plugs.append(plug)
        return plug

    async def drain(self) -> None:
        """The end of a process as `GatewayServer.close` goes about it."""
        try:
            async with asyncio.timeout(1):
                await self.pipeline.drain()
        except TimeoutError:
            pass  # what is not stored was not acked
        await self.hub.close(retry_after_ms=500)

    def kill(self) -> None:
        """The process is gone: nobody hears a goodbye, and what was not stored never will be."""
        self._intake.cancel()
        for plug in self.plugs:
            plug.abort()
        self.loop.pass_s()


def converse(pieces: Iterable[bytes], protocol: str) -> tuple[list[Heard], bool]:
    """A client upgrades and says anything at all, each piece in a turn of the loop of its own.
    Returns what it was answered and whether its connection was still open at the end.

    Raises what our side raised, and fails unless what it was answered are frames that a server may
    send, it ends open or closed and nothing between, and nobody remembers it once it is gone.
    """
    loop, faults = StillLoop(), Faults()
    try:
        house = MemoryHouse.started(loop, MemoryLog(), wire={"frame_bytes": 4_096})
        plug: Plug = loop.finish(_plug(house))
        loop.call_soon(plug.feed, request(Sec_WebSocket_Protocol=protocol))
        loop.pass_s()
        head = plug.take()
        assert head.startswith(b"HTTP/1.1 101 "), head
        for piece in pieces:
            loop.call_soon(plug.feed, piece)
            loop.pass_s()
        frames, rest = heard(plug.take())
        assert not rest, "half a frame"
        (connection,) = list(house.hub.connections) or [None]
        closed = bool(frames) and frames[-1].opcode == CLOSE
        if closed:
            loop.pass_s(0.02)  # picows drops what it refused by itself a moment later
            assert connection is None or connection.session.phase is Phase.CLOSED or plug.is_lost
            loop.pass_s(6)
            assert plug.is_lost, "closed, and kept all the same"
        else:
            assert connection is not None
            assert connection.session.phase is not Phase.CLOSED
            assert not plug.is_closing()
            plug.vanish()
            loop.pass_s()
        assert plug.take() == b"", "something followed the close frame"
        assert not house.hub.connections
        assert not house.presence.all_here()
        house.kill()
        faults.check()
        return frames, not closed
    finally:
        faults.close()
        loop.end()


async def _plug(house: MemoryHouse) -> Plug:
    return house.plug()
