"""How soon it serves: the first start, later starts to an answered message, the first answer.

Times are seconds from spawning the process, unless they end in _ms. The floor is measured in the
same run: what this Python takes for nothing, and for importing the four largest libraries.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.run import Goal, median
from qingniao.client import Client
from qingniao.protocol.frames import Delta, DownFrame, Entry, EntryType
from qingniao.replay.house import Api, OwnServer

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "first_start_s": Goal("<=", 3.0),
    "later_start_to_answer_s": Goal("<=", 1.5),
    "first_answer_ms": Goal("<=", 50),
}

_QUESTION: Final = "怎么退货"
_SETTINGS: Final = {"QINGNIAO_LOG_LEVEL": "error"}


def measure(quick: bool) -> Mapping[str, object]:
    """Medians of a few runs; fewer when `quick`."""
    runs = 3 if quick else 7
    bare = [_spawned("pass") for _ in range(runs)]
    libraries = [_spawned("import litestar, sqlalchemy, tantivy, rocksdict") for _ in range(runs)]
    firsts: list[float] = []
    laters: list[float] = []
    readies: list[float] = []
    answers: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
            first, ready, later, answer = asyncio.run(_one(Path(folder) / "data"))
            firsts.append(first)
            readies.append(ready)
            laters.append(later)
            answers += answer
    floor = median(libraries)
    return {
        "first_start_s": median(firsts),
        "later_start_to_ready_s": median(readies),
        "later_start_to_answer_s": median(laters),
        "first_answer_ms": median(answers),
        "first_answer_max_ms": round(max(answers), 2),
        "floor_python_s": median(bare),
        "floor_libraries_s": floor,
        "later_start_over_floor": median([median(laters) / floor]),
        "runs": runs,
    }


def _spawned(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


async def _one(data: Path) -> tuple[float, float, float, list[float]]:
    """First start; then, on the same data, a later one met by a visitor who is waiting for it."""
    server = OwnServer(_SETTINGS, data)
    try:
        began = time.perf_counter()
        await server.start()
        first = time.perf_counter() - began
        port = int(server.url.rpartition(":")[2])
        token, conversation = await Api(server.url).visitor()
        await server.stop()
        began = time.perf_counter()
        starting = asyncio.create_task(_ready_after(server, port, began))
        later = await _answered_after(server.url, token, conversation, began)
        ready = await starting
        answers = [await _first_delta_ms(server.url) for _ in range(5)]
    finally:
        await server.stop()
    return first, ready, later, answers


async def _ready_after(server: OwnServer, port: int, began: float) -> float:
    await server.start(port)
    return time.perf_counter() - began


async def _answered_after(url: str, token: str, conversation: int, began: float) -> float:
    """Until a visitor whose message was waiting has the bot's whole answer."""
    answered = asyncio.Event()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Entry) and frame.type == EntryType.ANSWER:
            answered.set()

    async with asyncio.timeout(60):
        # The client begins when the port answers: its wait between tries is not the server's.
        await _listening(url)
        async with Client(url, token=token, on_frame=hear) as client:
            await client.ready()
            await client.send(conversation, _QUESTION)
            await answered.wait()
            return time.perf_counter() - began


async def _listening(url: str) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.005)
        else:
            writer.close()
            return


async def _first_delta_ms(url: str) -> float:
    """From sending to the first piece of the answer, on an idle server, with a new visitor."""
    token, conversation = await Api(url).visitor()
    heard = asyncio.Event()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Delta) and frame.text:
            heard.set()

    async with Client(url, token=token, on_frame=hear) as client, asyncio.timeout(30):
        await client.ready()
        began = time.perf_counter()
        client.post(conversation, _QUESTION)
        await heard.wait()
        return (time.perf_counter() - began) * 1000
