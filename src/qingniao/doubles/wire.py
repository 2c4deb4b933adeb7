"""HTTP/1.1 down to the byte: what a double says, and every way in which it may fail to say it.

Owns connections, framing and the faults of a line: waits, cuts, resets, bytes torn apart. Refuses
to know a platform: it gets a `Reply` and a `Script`. Rule: a client that leaves is noticed at once,
and what became of each exchange is written down.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import httptools

from qingniao.doubles.inbox import Inbox
from qingniao.doubles.messages import Exchange, Reply

__all__ = ["Server"]

_LONGEST_S: Final = 600.0
"""Even a hang ends: nobody leaves a double running on purpose."""
_READ_BYTES: Final = 65_536


class _Left(Exception):
    """The client closed."""


class _Cut(Exception):
    """The script ends this connection."""


class Server:
    """Listens on one port of one address. `answer` gets every request."""

    def __init__(self, answer: Callable[[Exchange], Awaitable[Reply]]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.host = ""
        self.port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, backlog=4_096)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Ends every connection; idempotent."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # streams call this in a task of its own
        self._tasks.add(task)
        try:
            await _Connection(reader, writer, self._answer).run()
        except asyncio.CancelledError:
            pass  # `close` ended it; nobody waits for this task but `close`
        finally:
            writer.transport.abort()
            self._tasks.discard(task)


class _Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[Exchange], Awaitable[Reply]],
    ) -> None:
        self._reader, self._writer, self._answer = reader, writer, answer
        self._inbox = Inbox(self._continue)
        self._nudge = asyncio.Event()
        self._has_left = False

    async def run(self) -> None:
        """Answer one request after the other, until either side has had enough."""
        pump = asyncio.create_task(self._pump())
        try:
            while await self._one():
                pass
        except (_Left, _Cut, ConnectionError):
            pass
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def _pump(self) -> None:
        try:
            while data := await self._reader.read(_READ_BYTES):
                self._inbox.feed(data)
                self._nudge.set()
        except (ConnectionError, httptools.HttpParserError):
            pass
        finally:
            self._has_left = True
            self._nudge.set()

    def _continue(self) -> None:
        self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _one(self) -> bool:
        while not self._inbox.ready:
            if self._has_left:
                return False
            self._nudge.clear()
            await self._nudge.wait()
        exchange = Exchange(request=self._inbox.ready.pop(0))
        reply = await self._answer(exchange)
        is_whole = False
        try:
            await self._say(exchange, reply)
            is_whole = exchange.outcome == "whole"
        except (_Left, ConnectionError):
            exchange.outcome = "left"
            raise
        except _Cut:
            exchange.outcome = "cut"
            raise
        finally:
            if reply.stop is not None:
                reply.stop.nudge = None
            if reply.ended is not None:
                reply.ended(is_whole)
        return exchange.request.keeps_alive

    async def _say(self, exchange: Exchange, reply: Reply) -> None:
        script = reply.script
        if reply.stop is not None:
            reply.stop.nudge = self._nudge
        if "reset" in script:
            self._reset()
        if "hang" in script:
            await self._hang()
        await self._pause(script.seconds("slow", 2.0) if "slow" in script else 0.0, reply)
        exchange.status = reply.status
        events = list(reply.events)
        self._writer.write(self._head(reply, sum(map(len, events))))
        middle = len(events) // 2 if reply.is_stream else 0
        for number, event in enumerate(events):
            first_s = script.seconds("wait", 2.0) if "wait" in script else 0.0
            await self._pause(reply.pace_s if number else first_s, reply)
            if number == middle:
                event = await self._break(reply, event)
            if reply.stop is not None and reply.stop.is_set:
                exchange.outcome = "stopped"
                break
            await self._send(event, reply)
        if exchange.outcome == "stopped" and reply.stop is not None:
            for event in reply.stop.tail:
                await self._send(event, reply)
            await self._hold(reply.stop.hold_s)
        if reply.is_stream:
            self._writer.write(b"0\r\n\r\n")
        await self._drain()
        if exchange.outcome == "open":
            exchange.outcome = "whole"

    def _head(self, reply: Reply, length: int) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} {_reason(reply.status)}"]
        if reply.content_type:
            lines.append(f"content-type: {reply.content_type}")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.is_stream:
            lines += ["cache-control: no-cache", "transfer-encoding: chunked"]
        elif reply.status != HTTPStatus.NO_CONTENT:
            lines.append(f"content-length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _break(self, reply: Reply, event: bytes) -> bytes:
        """What the script does in the middle; the event that is still to be said."""
        script = reply.script
        if {"cut", "reset-midway", "hang-midway"} & script.names:
            await self._send(event[: len(event) // 2], reply)
            await self._drain()
            if "hang-midway" in script:
                await self._hang()
            if "reset-midway" in script:
                # What was written has to leave before the reset throws it away.
                await self._pause(0.02, reply)
                self._reset()
            self._writer.close()
            raise _Cut
        if "stall" in script:
            await self._pause(_LONGEST_S, reply)
            if reply.stop is None or not reply.stop.is_set:
                raise _Cut
        return event

    async def _send(self, event: bytes, reply: Reply) -> None:
        pieces = _torn(event) if "split" in reply.script else [event]
        drip_s = reply.script.seconds("drip", 0.2) if "drip" in reply.script else 0.0
        for piece in pieces:
            if not piece:
                continue
            if reply.is_stream:
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                self._writer.write(piece)
            await self._drain()
            await self._pause(drip_s, reply)

    async def _drain(self) -> None:
        if self._has_left:
            raise _Left
        await self._writer.drain()

    async def _pause(self, seconds: float, reply: Reply) -> None:
        """Wait, but not for a client that left, nor beyond a stop; pings go on meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self._has_left and not (reply.stop is not None and reply.stop.is_set):
            left_s = until - loop.time()
            if left_s <= 0:
                await asyncio.sleep(0)
                break
            pings = reply.ping and reply.is_stream
            self._nudge.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, reply.ping_s) if pings else left_s):
                    await self._nudge.wait()
            if pings and left_s > reply.ping_s and not self._nudge.is_set():
                self._writer.write(b"%x\r\n%b\r\n" % (len(reply.ping), reply.ping))
        if self._has_left:
            raise _Left

    async def _hang(self) -> None:
        await self._hold(_LONGEST_S)
        raise _Cut

    async def _hold(self, seconds: float) -> None:
        """Say nothing, until the time is over or the client leaves."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._has_left:
                    self._nudge.clear()
                    await self._nudge.wait()
                raise _Left

    def _reset(self) -> None:
        raw = self._writer.get_extra_info("socket")
        # Lingering for no time makes the close a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise _Cut


def _torn(event: bytes) -> list[bytes]:
    """In pieces of at most seven bytes, and in the middle of every character that has one."""
    pieces, start = [], 0
    for end in range(1, len(event) + 1):
        if end - start == 7 or event[end - 1] >= 0xC0 or end == len(event):
            pieces.append(event[start:end])
            start = end
    return pieces


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
