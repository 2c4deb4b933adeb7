"""How soon a message is with the agent: 15,000 connections, 2,000 messages a second.

Visitor to agent, durable, from when the schedule wanted it sent (`qingniao load`). The server, with
the child process that trains the bot and builds its index, has core 0, the load core 1. Quiet
segments take turns with segments in which the knowledge base is imported again as soon as it has
been learnt; `training_ratio` is the median of their p99s' quotients, each by the quiet segment
before it. The floor is the same load against a bare picows relay (no disk, no checks) on core 0.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

import httpx
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from bench.gateway_cost import apart, cpu_s, pin
from bench.run import Goal, median
from qingniao.errors import StartError
from qingniao.load.command import Progress, load, prepared
from qingniao.load.meter import Tally
from qingniao.load.plan import Plan
from qingniao.load.process import Word
from qingniao.load.report import Report
from qingniao.load.target import SETTINGS, Minted, Target
from qingniao.load.ticker import now_us
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import Ack, Entry, EntryType, Follow, Hello, Limits, Send, Welcome
from qingniao.replay.house import OwnServer

__all__ = ["GOALS", "Segments", "measure"]

GOALS: Final = {
    "p50_ms": Goal("<=", 2),
    "p99_ms": Goal("<=", 10),
    "p999_ms": Goal("<=", 50),
    "training_ratio": Goal("<=", 2),
    "lost": Goal("<=", 0),
    "dropped": Goal("<=", 0),
}

_ENTRIES: Final = 1_000
"""Of the knowledge base that is learnt again and again, beside the sample's."""
_QUIET_US: Final = 3_000_000
"""After a segment in which it trained: the last child process has ended by then."""
_PASSWORD: Final = "bench-bench-7391"
_ROOT: Final = Path(__file__).parents[1]


def measure(quick: bool) -> Mapping[str, object]:
    """One run against the floor, one against the server."""
    with apart() as core, tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), quick, core))


async def _measure(folder: Path, quick: bool, core: int) -> Mapping[str, object]:
    connections = 1_500 if quick else 15_000
    segments = Segments(4 if quick else 6, 6.0 if quick else 20.0)
    plan = Plan(
        connections=connections, agents=connections // 100, rate=2_000.0, answers=0.0,
        duration_s=segments.total_s,
    )  # fmt: skip
    floor = await _floor(plan, 5.0 if quick else 20.0, core)
    async with OwnServer(SETTINGS, folder / "data") as server:
        if server.process is None:
            raise StartError("The server did not start.")
        pin(server.process.pid, core)
        target = Minted(server.url, folder / "data", "admin", server.password, own=True)
        async with _trainer(target, server.process.pid) as trainer:
            report, cpu = await _run(plan, target, segments, trainer, server.process.pid)
            trainings, took_s = trainer.trainings, trainer.took_s
    assert trainings, "Nothing was learnt beside the load."
    quiet, training = segments.sum(0), segments.sum(1)
    ratios = [
        segments.p99_ms(number + 1) / segments.p99_ms(number)
        for number in range(0, segments.count, 2)
    ]
    return {
        "p50_ms": quiet.asks.delivery.at(0.5) / 1000,
        "p99_ms": quiet.asks.delivery.at(0.99) / 1000,
        "p999_ms": quiet.asks.delivery.at(0.999) / 1000,
        "training_p50_ms": training.asks.delivery.at(0.5) / 1000,
        "training_p99_ms": training.asks.delivery.at(0.99) / 1000,
        "training_p999_ms": training.asks.delivery.at(0.999) / 1000,
        "training_ratio": median(ratios),
        "trainings": trainings,
        "training_s": round(took_s, 1),
        "lost": report.asks.lost + report.asks.repeated,
        "dropped": sum(report.dropped.values()) + report.given_up,
        "unsent": report.asks.unsent + report.asks.unacked,
        "floor_p50_ms": floor.asks.delivery.p50_ms,
        "floor_p99_ms": floor.asks.delivery.p99_ms,
        "floor_p999_ms": floor.asks.delivery.p999_ms,
        "ack_p99_ms": quiet.asks.ack.at(0.99) / 1000,
        "messages_per_s": report.messages_per_s,
        "connections": report.connected,
        "handshakes_per_s": report.handshakes_per_s,
        "server_cpu": round(cpu, 2),
        "load_cpu": max(report.cpu),
        "load_late_p99_ms": report.late.p99_ms,
        "seconds": segments.total_s,
    }


class Segments(Progress):
    """Sorts what is counted into segments of time; what is near a border belongs to none."""

    def __init__(self, count: int, each_s: float) -> None:
        self.count, self.each_us = count, round(each_s * 1e6)
        self._tallies = [Tally() for _ in range(count)]
        self._heard_us: dict[int, int] = {}
        self.start_us = 0

    @property
    def total_s(self) -> float:
        """All segments."""
        return self.count * self.each_us / 1e6

    def started(self, start_us: int) -> None:
        """The first segment begins."""
        self.start_us = start_us

    def counted(self, process: int, word: Word) -> None:
        """See `Progress`: a second of one process."""
        since_us = self._heard_us.get(process, word.at_us) - self.start_us
        self._heard_us[process] = word.at_us
        number, into_us = divmod(since_us, self.each_us)
        settled_us = 500_000 if number % 2 else min(_QUIET_US, self.each_us // 2)
        if (
            self.start_us and 0 <= number < self.count and into_us >= (settled_us if number else 0)
            and word.at_us - self.start_us <= (number + 1) * self.each_us
        ):  # fmt: skip
            self._tallies[number].merge(word.tally)

    def sum(self, odd: int) -> Tally:
        """All quiet segments (0), or all of the others (1)."""
        total = Tally()
        for tally in self._tallies[odd::2]:
            total.merge(tally)
        return total

    def p99_ms(self, number: int) -> float:
        """Of the deliveries in one segment."""
        return max(self._tallies[number].asks.delivery.at(0.99), 1) / 1000


async def _run(
    plan: Plan, target: Target, segments: Segments, trainer: "_Trainer", pid: int
) -> tuple[Report, float]:
    plan = prepared(plan, has_agents=True, own_server=True)
    training = asyncio.create_task(trainer.keep(segments))
    before = cpu_s(pid)
    try:
        report = await load(plan, target, segments)
    finally:
        training.cancel()
        await asyncio.gather(training, return_exceptions=True)
    return report, (cpu_s(pid) - before) / (segments.total_s + (plan.ramp_s or 0))


# The work that goes on beside.


class _Trainer:
    """Imports a knowledge base again and again, and looks on while it is learnt."""

    def __init__(self, http: httpx.AsyncClient, pid: int) -> None:
        self._http = http
        self._tasks = Path(f"/proc/{pid}/task")
        self._imports = 0
        self.trainings = 0
        self.took_s = 0.0

    async def once(self) -> None:
        """Import, and wait until the child process has come and gone."""
        self._imports += 1
        entries = [
            {
                "id": f"bench{number}",
                "question": f"第{number}号商品怎么清洗，可以机洗吗？",
                "answer": f"第{number}号商品请用冷水手洗，第{self._imports}版说明。",
            }
            for number in range(_ENTRIES)
        ]
        upload = {"file": ("bench.json", json.dumps({"entries": entries}), "application/json")}
        answer = await self._http.post("/api/v1/knowledge/import", files=upload)
        answer.raise_for_status()
        assert answer.json()["imported"] == _ENTRIES, answer.text
        began = now_us()
        seen = False
        while now_us() - began < 60_000_000 and (not seen or self._is_training()):
            seen = seen or self._is_training()
            await asyncio.sleep(0.02)
        self.trainings += seen
        self.took_s += (now_us() - began) / 1e6

    def _is_training(self) -> bool:
        for children in self._tasks.glob("*/children"):  # of whichever thread started it
            with contextlib.suppress(OSError):
                for child in children.read_text().split():
                    if b"qingniao.workers.heavy" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return True
        return False

    async def keep(self, segments: Segments) -> None:
        """Train in every second segment, until cancelled."""
        while True:
            since_us = now_us() - segments.start_us
            if segments.start_us and since_us > 0 and since_us // segments.each_us % 2:
                await self.once()
            else:
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _trainer(target: Minted, pid: int) -> AsyncIterator[_Trainer]:
    await target.ticket()  # changes the one-time password
    headers = {"X-Qingniao": "1"}
    async with httpx.AsyncClient(base_url=target.url, headers=headers, timeout=60) as http:
        who = {"login": "admin", "password": target.password}
        (await http.post("/api/v1/session", json=who)).raise_for_status()
        trainer = _Trainer(http, pid)
        await trainer.once()  # the first one is slower: everything is new
        trainer.trainings, trainer.took_s = 0, 0.0
        yield trainer


# The floor.


async def _floor(plan: Plan, seconds: float, core: int) -> Report:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.gateway_paced", cwd=_ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        if child.stdout is None:
            raise StartError("The relay cannot be read.")
        async with asyncio.timeout(30):
            port = int(await child.stdout.readline())
        pin(child.pid, core)
        short = Plan(
            connections=plan.connections, agents=plan.agents, rate=plan.rate, answers=0.0,
            duration_s=seconds,
        )  # fmt: skip
        short = prepared(short, has_agents=True, own_server=True)
        return await load(short, _Relay(f"http://127.0.0.1:{port}"), Progress())
    finally:
        child.kill()
        await child.wait()


class _Relay:
    """The relay as a target: it believes everybody."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def visitors(self, count: int, came: Callable[[int], None]) -> list[tuple[str, int]]:
        """See `Target`."""
        return [("v", 1_000_000 + number) for number in range(count)]

    async def ticket(self) -> str:
        """See `Target`."""
        return "a1"


class _Wire(WSListener):
    """One connection of the relay: acks at once and passes on."""

    def __init__(self, followers: dict[int, set["_Wire"]], seqs: dict[int, int]) -> None:
        self.transport: WSTransport | None = None
        self._followers, self._seqs = followers, seqs
        self._sender = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.BINARY:
            return
        match MSGPACK.up(frame.get_payload_as_bytes()):
            case Send(conversation, n, kind, body):
                seq = self._seqs[conversation] = self._seqs.get(conversation, 0) + 1
                self._write(MSGPACK.encode(Ack(conversation, n, seq, 0)))
                if kind == EntryType.TEXT:
                    entry = Entry(conversation, seq, 1_795_500_000_000, self._sender, kind, body)
                    data = MSGPACK.encode(entry)
                    for other in self._followers.get(conversation, ()):
                        if other is not self:
                            other._write(data)
            case Follow(conversation):
                self._followers.setdefault(conversation, set()).add(self)
            case Hello(token):
                self._sender = token
                self._write(MSGPACK.encode(Welcome("s", 0, Limits(), [])))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.send(WSMsgType.BINARY, data)


async def _relay() -> None:
    followers: dict[int, set[_Wire]] = {}
    seqs: dict[int, int] = {}
    server = await ws_create_server(
        lambda _: _Wire(followers, seqs), "127.0.0.1", 0, backlog=4_096,
        use_aiofastnet=False, read_buffer_init_size=2_048,
    )  # fmt: skip
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    from qingniao.load.process import raise_file_limit

    raise_file_limit()
    uvloop.run(_relay())
