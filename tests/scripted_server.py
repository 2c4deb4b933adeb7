"""A server that says what a test wrote down, byte by byte, and remembers what it was asked.

Rule: it understands nothing; what goes over the line is the test's.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

SSE = "text/event-stream"
JSON = "application/json"


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Says(NamedTuple):
    """One answer: its pieces, each sent by itself. `ends` is `whole`, `cut` (the connection breaks)
    or `hang` (nothing more comes)."""

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    kind: str = SSE
    headers: tuple[tuple[str, str], ...] = ()
    ends: str = "whole"
    pause_s: float = 0.0


def says_json(body: object, status: int = 200, **headers: str) -> Says:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Says((json.dumps(body).encode(),), status, JSON, pairs)


def says_events(*events: object, ends: str = "whole", name: str = "") -> Says:
    head = f"event: {name}\n" if name else ""
    lines = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in events]
    return Says(tuple(f"{head}data: {line}\n\n".encode() for line in lines), ends=ends)


class ScriptedServer:
    """Answers in order; the last answer again and again. `by_path` goes before."""

    def __init__(self) -> None:
        self.answers: deque[Says] = deque()
        self.by_path: dict[str, Says | Callable[[Asked], Says]] = {}
        self.asked: list[Asked] = []
        self.closed_early = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def will(self, *answers: Says) -> None:
        self.answers.extend(answers)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                says = self._answer(asked)
                if not await self._say(says, reader, writer):
                    return
        except ConnectionError:
            self.closed_early += 1
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(Exception):
                await writer.wait_closed()

    def _answer(self, asked: Asked) -> Says:
        path = asked.path.partition("?")[0]
        if path in self.by_path:
            found = self.by_path[path]
            return found if isinstance(found, Says) else found(asked)
        if not self.answers:
            return Says((b"nothing left to say",), 599, "text/plain")
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]

    async def _say(
        self, says: Says, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = [f"HTTP/1.1 {says.status} Said", f"content-type: {says.kind}"]
        head += [f"{name}: {value}" for name, value in says.headers]
        head += ["transfer-encoding: chunked", "", ""]
        writer.write("\r\n".join(head).encode())
        for piece in says.pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(says.pause_s)
        if says.ends == "whole":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        if says.ends == "hang" and not await reader.read(1):
            self.closed_early += 1
        return False


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)
