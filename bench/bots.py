"""Bots that are asked over HTTP: what our side adds to a provider's first word, and what it keeps.

A provider in a process of its own takes a question, thinks for 50 ms and says twenty words, one
each 50 ms. It tells with each first word how long it took from the question's arrival, so that what
is left of the time until our side has the word is ours and the kernel's. 200 streams are under way
all the time, each through the whole stack: adapter, deadline, retries, limits, breaker. The same is
done by a bare client in the same run: one connection for each question, a parser in C, nothing
else. Memory is the growth of our process while 1,000 streams are open. The provider has core 0, the
client core 1.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httptools
import uvloop

from bench.run import Goal

GOALS: Final = {
    "first_word_p99_ms": Goal("<=", 5.0),
    "memory_of_1000_streams_mb": Goal("<=", 150.0),
}
STREAMS: Final = 200
OPEN: Final = 1_000
THINK_S: Final = 0.05
PACE_S: Final = 0.05
WORDS: Final = 20
_DEADLINE_S: Final = 120


def measure(quick: bool) -> Mapping[str, object]:
    """Medians of a few runs of each client, in turn."""
    runs, seconds = (1, 8) if quick else (3, 20)
    ours: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    for _ in range(runs):
        bare.append(_client("bare", STREAMS, seconds))
        ours.append(_client("ours", STREAMS, seconds))
    memory = [_client("memory", OPEN, 6)["mb"] for _ in range(runs)]

    def middle(side: list[dict[str, float]], name: str) -> float:
        return round(statistics.median(one[name] for one in side), 2)

    return {
        "streams": STREAMS,
        "answers": sum(int(one["answers"]) for one in ours),
        "first_word_p50_ms": middle(ours, "p50"),
        "first_word_p99_ms": middle(ours, "p99"),
        "bare_p50_ms": middle(bare, "p50"),
        "bare_p99_ms": middle(bare, "p99"),
        "p99_over_bare_ms": round(middle(ours, "p99") - middle(bare, "p99"), 2),
        "cpu_of_a_word_us": middle(ours, "cpu_us"),
        "bare_cpu_of_a_word_us": middle(bare, "cpu_us"),
        "memory_of_1000_streams_mb": round(statistics.median(memory), 1),
    }


def _client(kind: str, streams: int, seconds: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.bots"]
    server = subprocess.Popen([*command, "provider"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        done = subprocess.run(
            [*command, kind, port, str(streams), str(seconds)],
            check=True, capture_output=True, text=True, timeout=_DEADLINE_S,
        )  # fmt: skip
        told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return told
    finally:
        server.kill()
        server.wait()


class _Provider(asyncio.Protocol):
    """Says the words of one question after the other."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, found, rest = self._waiting.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._waiting = b""
        self._arrived_s = time.monotonic()
        slow = b"slow" in rest
        self._pace_s = 1.0 if slow else PACE_S
        self._loop.call_later(THINK_S, self._say, 0)

    def _say(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == 0:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
        took_us = int((time.monotonic() - self._arrived_s) * 1e6) if number == 0 else 0
        reason = '"stop"' if number == WORDS else "null"
        content = f'"content":"{took_us} word"' if number < WORDS else ""
        line = (
            '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index"'
            f':0,"delta":{{{content}}},"finish_reason":{reason}}}]}}'
        )
        event = f"data: {line}\n\n".encode()
        if number == WORDS:
            event += b"data: [DONE]\n\n"
        self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
        if number < WORDS:
            self._loop.call_later(self._pace_s, self._say, number + 1)
        else:
            self._transport.write(b"0\r\n\r\n")


async def _provide() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Provider, "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with asyncio.timeout(_DEADLINE_S):
        await server.serve_forever()


class _Bare(asyncio.Protocol):
    """A question and its words, as far below a client library as Python goes."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.parts.put_nowait(body)

    def on_message_complete(self) -> None:
        self.parts.put_nowait(None)


class _Seen:
    """Times of first words, and how many words there were."""

    def __init__(self) -> None:
        self.over_ms: list[float] = []
        self.answers = self.words = 0
        self.counts = False

    def first(self, began_s: float, told: str) -> None:
        if self.counts:
            theirs_s = int(told.split(" ")[0]) / 1e6
            self.over_ms.append((time.monotonic() - began_s - theirs_s) * 1e3)


async def _ask_bare(port: int, seen: _Seen) -> None:
    began_s = time.monotonic()
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(_Bare, "127.0.0.1", port)
    transport.write(b'POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\n{"a":"b b"}')
    is_first = True
    while (part := await client.parts.get()) is not None:
        if is_first:
            is_first = False
            choices = json.loads(part.partition(b"data: ")[2].split(b"\n")[0])["choices"]
            seen.first(began_s, choices[0]["delta"]["content"])
        seen.words += 1
    seen.answers += 1
    transport.close()


async def _stack(port: int) -> Any:
    """The bot as a worker has it, in a process that collects garbage as a worker's does."""
    from qingniao.bots.openai import OpenAIBot, OpenAISettings
    from qingniao.bots.wrappers.budget import MemoryLedger
    from qingniao.bots.wrappers.stack import Policy, guarded
    from qingniao.outgoing.client import Outgoing
    from qingniao.outgoing.guard import Guard
    from qingniao.runtime.process import look_seldom

    outgoing = Outgoing(Guard(["127.0.0.1"]))
    settings = OpenAISettings(model="m", base_url=f"http://127.0.0.1:{port}", key="k")
    policy = Policy(at_once=4_000, per_minute=1e9, burst=10_000, day_tokens=10**12)
    bot = guarded(OpenAIBot(outgoing, settings), policy, MemoryLedger())
    look_seldom()
    return outgoing, bot


async def _ask_ours(bot: Any, seen: _Seen, text: str = "hello") -> None:
    from qingniao.bots.base import Done, Query, TextDelta

    began_s = time.monotonic()
    is_first = True
    async with contextlib.aclosing(bot.reply(Query(conversation=1, text=text))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                if is_first:
                    is_first = False
                    seen.first(began_s, event.text)
                seen.words += 1
            elif isinstance(event, Done):
                seen.answers += 1


async def _keep(kind: str, port: int, streams: int, seconds: int) -> dict[str, float]:
    seen = _Seen()
    outgoing, bot = await _stack(port) if kind == "ours" else (None, None)
    until_s = time.monotonic() + seconds

    async def stream(number: int) -> None:
        # Evenly over an answer's length, so that first words come among all the others.
        await asyncio.sleep(number / streams * (THINK_S + WORDS * PACE_S))
        while time.monotonic() < until_s:
            await (_ask_bare(port, seen) if kind == "bare" else _ask_ours(bot, seen))

    running = asyncio.gather(*(stream(number) for number in range(streams)))
    await asyncio.sleep(2.5)
    seen.counts, seen.words = True, 0
    cpu_s = time.process_time()
    await running
    cpu_s = time.process_time() - cpu_s
    if outgoing is not None:
        await outgoing.close()
    over = sorted(seen.over_ms)
    return {
        "p50": statistics.median(over),
        "p99": over[int(len(over) * 0.99)],
        "answers": len(over),
        "cpu_us": cpu_s / seen.words * 1e6,
    }


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _hold(port: int, streams: int, seconds: int) -> dict[str, float]:
    """Growth of memory with so many streams open, each having said a few words."""
    seen = _Seen()
    outgoing, bot = await _stack(port)
    for _ in range(20):
        await _ask_ours(bot, seen)
    before = _rss_mb()
    running = []
    for number in range(streams):
        running.append(asyncio.ensure_future(_ask_ours(bot, seen, "slow")))
        if number % 20 == 0:
            await asyncio.sleep(0.02)
    peak = before
    for _ in range(seconds * 4):
        await asyncio.sleep(0.25)
        peak = max(peak, _rss_mb())
    assert sum(not one.done() for one in running) == streams, "a stream ended too early"
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await outgoing.close()
    return {"mb": peak - before}


def main() -> None:
    """One of the processes."""
    kind, *rest = sys.argv[1:]
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0] if kind == "provider" else cores[-1]})
    if kind == "provider":
        with contextlib.suppress(TimeoutError):
            uvloop.run(_provide())
        return
    port, streams, seconds = map(int, rest)
    run = _hold(port, streams, seconds) if kind == "memory" else _keep(kind, port, streams, seconds)
    print(json.dumps(uvloop.run(run)))


if __name__ == "__main__":
    main()
