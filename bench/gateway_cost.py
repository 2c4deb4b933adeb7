"""Durable chat messages on one core: what each costs beside a bare C server of the same frames.

Decode, admit, order, fsync, ack, deliver to the other side, in conversations that people have. The
server is held on one core, the C load (`native/load.c`) on the other. `server_us`: all CPU of
the server's process per message during the load; the lists and hourly sums that it makes up
afterwards are reported beside it (`catch_up_us`). Latencies are those of a full window, not of a
quiet server.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.run import Goal, median
from qingniao.client import Client
from qingniao.errors import StartError
from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api, OwnServer

__all__ = ["GOALS", "apart", "compiled", "cpu_s", "figures", "measure", "pin"]

GOALS: Final = {
    "messages_per_s": Goal(">=", 40_000),
    "server_over_c": Goal("<=", 4.0),
    "lost": Goal("<=", 0),
}

SETTINGS: Final = {
    "QINGNIAO_LOG_LEVEL": "error",
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_WIRE_RATE": "1000000",
    "QINGNIAO_WIRE_AGENT_RATE": "1000000",
    "QINGNIAO_WIRE_CREDIT": "64",
    # One agent has all conversations here.
    "QINGNIAO_GATEWAY_CONNECTIONS_EACH": "100000",
}
_WINDOW: Final = 8
"""Unacked sends a connection: all of them together stay below the intake's bound of 8,192."""
_AT_ONCE: Final = 50
_SOURCES: Final = Path(__file__).parent / "native"


def measure(quick: bool) -> Mapping[str, object]:
    """Medians of a few runs of one server; the floor is measured between them."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), 250 if quick else 500, 3 if quick else 10))


async def _measure(folder: Path, pairs: int, seconds: int) -> Mapping[str, object]:
    load = compiled(folder)
    async with OwnServer(SETTINGS, folder / "data") as server:
        if server.process is None:
            raise StartError("The server did not start.")
        pid = server.process.pid
        path = folder / "connections"
        api = Api(server.url)
        await api.sign_in("admin", server.password, "bench-bench-7391")
        visitors = await _conversations(server, api, pairs)
        pin(pid, 0)
        rates, costs, waits50, waits99, lost, busy = [], [], [], [], 0, 0
        catch_up_s = messages = 0.0
        for _ in range(3):
            path.write_text(await _connections(api, visitors))
            before = cpu_s(pid)
            run = await _load(load, int(server.url.rpartition(":")[2]), path, seconds)
            during = cpu_s(pid)
            rates.append(run["acked"] / run["took_s"])
            costs.append((during - before) / run["acked"] * 1e6)
            waits50.append(run["p50_us"] / 1000)
            waits99.append(run["p99_us"] / 1000)
            # What was acked in the last instant may still be on its way to the other side.
            under_way = pairs * 2 * _WINDOW
            busy += int(run["busy"])
            lost += int(run["errors"] + max(0, run["acked"] - run["delivered"] - under_way))
            await asyncio.sleep(4)  # lists and sums catch up
            catch_up_s += cpu_s(pid) - during
            messages += run["acked"]
    floor_us, floor_rate = await _floor(load, folder, pairs, seconds)
    return {
        "messages_per_s": median(rates),
        "server_us": median(costs),
        "catch_up_us": round(catch_up_s / messages * 1e6, 2),
        "c_server_us": floor_us,
        "c_server_per_s": floor_rate,
        "server_over_c": round(median(costs) / floor_us, 2),
        "ack_p50_ms": median(waits50),
        "ack_p99_ms": median(waits99),
        "lost": lost,
        "busy": busy,
        "connections": pairs * 2,
        "seconds": seconds,
    }


def compiled(folder: Path) -> Path:
    """The C program. Raises `StartError` where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise StartError("This bench needs a C compiler: install gcc.")
    program = folder / "chat_load"
    sources = sorted(map(str, _SOURCES.glob("*.c")))
    subprocess.run([compiler, "-O2", "-o", str(program), *sources], check=True)
    return program


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def apart() -> Iterator[int]:
    """Hold this process, and what it starts, on the last core; yields the first, the server's."""
    cores = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), cores[-1])
    try:
        yield cores[0]
    finally:
        os.sched_setaffinity(0, cores)


def pin(pid: int, core: int) -> None:
    """Hold every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


async def _conversations(server: OwnServer, api: Api, pairs: int) -> list[tuple[str, int]]:
    """Visitors with a conversation that an agent has: (token, conversation) of each."""
    room = asyncio.Semaphore(_AT_ONCE)

    async with Client(server.url, token=api.ticket) as agent:
        await agent.ready()

        async def pair() -> tuple[str, int]:
            async with room:
                token, conversation = await api.visitor()
                async with Client(server.url, token=token) as visitor:
                    await visitor.ready()
                    await visitor.send(conversation, "在吗")
                await agent.send(conversation, {"do": "take"}, EntryType.ACTION)
                return token, conversation

        return list(await asyncio.gather(*(pair() for _ in range(pairs))))


async def _connections(api: Api, visitors: list[tuple[str, int]]) -> str:
    """Both sides of each conversation, one line each as `chat_load` reads it. A ticket lasts a
    minute and may be used by many."""
    ticket = await api.ticket()
    return "".join(f"{token} {number} 0\n{ticket} {number} 1\n" for token, number in visitors)


async def _load(program: Path, port: int, path: Path, seconds: int) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        str(program), "load", str(port), str(path), str(seconds), str(_WINDOW),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    pin(child.pid, max(os.sched_getaffinity(0)))
    async with asyncio.timeout(seconds + 60):
        out, _ = await child.communicate()
    return figures(out)


def figures(printed: bytes) -> dict[str, float]:
    """The last line of `chat_load load` by name."""
    names = ("acked", "delivered", "busy", "errors", "took_s", "p50_us", "p99_us", "beats")
    return dict(zip(names, map(float, printed.splitlines()[-1].split()), strict=True))


async def _floor(program: Path, folder: Path, pairs: int, seconds: int) -> tuple[float, float]:
    """The same load against a C server that neither stores nor checks: (µs, messages a second)."""
    path = folder / "bare"
    path.write_text("".join(f"{n} {n} 0\n{n} {n} 0\n" for n in range(1, pairs + 1)))
    port = 20_000 + os.getpid() % 10_000
    child = await asyncio.create_subprocess_exec(str(program), "serve", str(port))
    try:
        pin(child.pid, 0)
        await asyncio.sleep(0.3)
        costs, rates = [], []
        for _ in range(3):
            before = cpu_s(child.pid)
            run = await _load(program, port, path, seconds)
            costs.append((cpu_s(child.pid) - before) / run["acked"] * 1e6)
            rates.append(run["acked"] / run["took_s"])
    finally:
        child.kill()
        await child.wait()
    return median(costs), median(rates)
