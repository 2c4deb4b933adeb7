"""`qingniao load` on real servers: its counts are theirs, and trouble ends in a report."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import StartServer, run_qingniao

from qingniao.protocol.frames import EntryType
from qingniao.replay.house import Api, OwnServer
from qingniao.storage.messages_rocksdb import RocksMessageLog

pytestmark = pytest.mark.e2e

PASSWORD = "load-load-7391"
FIRST_CONVERSATION = 1_001
NO_LIMITS = {"QINGNIAO_WIRE_RATE": "100000", "QINGNIAO_WIRE_AGENT_RATE": "100000"}


@pytest.fixture
async def house(start_server: StartServer) -> OwnServer:
    """A server whose administrator has a password of their own."""
    server = await start_server(QINGNIAO_GATEWAY_OUTBOX_BYTES="65536", **NO_LIMITS)
    await Api(server.url).sign_in("admin", server.password, PASSWORD)
    return server


async def run_load(server: OwnServer, *arguments: str, status: int = 0) -> dict[str, Any]:
    ended = await run_qingniao(
        "load", "--url", server.url, "--json", *arguments, QINGNIAO_PASSWORD=PASSWORD
    )
    assert ended.code == status and "Traceback" not in ended.err, ended
    report: dict[str, Any] = json.loads(ended.out)
    return report


async def metric(server: OwnServer, name: str) -> int:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{server.url}/metrics")).text
    found = re.search(rf"^{name} (\S+)$", text, re.M)
    assert found is not None
    return int(float(found[1]))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.05)


async def test_what_it_counts_is_what_the_server_stored(house: OwnServer) -> None:
    report = await run_load(
        house, "--connections", "63", "--agents", "3", "--processes", "2", "--rate", "60",
        "--duration", "3", "--ramp", "0.5", "--typing",
    )  # fmt: skip
    asks, answers = report["asks"], report["answers"]
    assert (report["connected"], report["processes"], report["dropped"]) == (63, 2, {})
    assert asks["sent"] == asks["acked"] == asks["delivered"] == 180, report
    assert answers["sent"] == answers["acked"] == answers["delivered"] == 90, report
    for way in (asks, answers):
        assert (way["lost"], way["repeated"], way["unsent"], way["unacked"]) == (0, 0, 0, 0)
        assert way["delivery"]["count"] == way["ack"]["count"] == way["sent"]
        assert 0 < way["delivery"]["p50_ms"] <= way["delivery"]["p999_ms"]
    await house.stop()
    log = RocksMessageLog(house.data / "messages")
    try:
        stored = [
            entry.sender
            for conversation in range(FIRST_CONVERSATION, FIRST_CONVERSATION + 60)
            for entry in await log.entries(conversation, 0, 1_000)
            if entry.type == EntryType.TEXT
        ]
    finally:
        await log.close()
    assert stored.count("v") == 180 and len(stored) == 270


async def test_readers_that_stop_reading_are_counted_when_the_server_closes_them(
    house: OwnServer,
) -> None:
    report = await run_load(
        house, "--data", str(house.data), "--connections", "25", "--agents", "1", "--slow", "4",
        "--rate", "200", "--duration", "3", "--text-bytes", "3600", "--answers", "0",
    )  # fmt: skip
    assert (report["slow"], report["slow_closed"], report["dropped"]) == (4, 4, {})
    assert await metric(house, "qingniao_slow_closed_total") == 4
    assert report["asks"]["delivered"] == report["asks"]["sent"] == 600, report


async def test_visitors_of_a_day_say_two_things_and_leave(house: OwnServer) -> None:
    report = await run_load(
        house, "--data", str(house.data), "--shape", "day", "--connections", "61", "--agents", "1",
        "--rate", "40", "--duration", "2", "--processes", "1",
    )  # fmt: skip
    assert (report["left"], report["connected"], report["dropped"]) == (40, 41, {}), report
    assert report["asks"]["acked"] == report["asks"]["delivered"] == 80, report
    assert await metric(house, "qingniao_connections") == 0


async def test_a_server_that_is_killed_ends_in_a_report(house: OwnServer) -> None:
    async def kill() -> None:
        while await metric(house, "qingniao_pipeline_committed_total") < 200:
            await asyncio.sleep(0.1)
        house.kill()

    killing = asyncio.create_task(kill())
    report = await run_load(
        house, "--data", str(house.data), "--connections", "41", "--agents", "1", "--rate", "100",
        "--duration", "30", status=1,
    )  # fmt: skip
    await killing
    assert report["dropped"] == {"1006": 41}
    assert report["talked_s"] < 20 and "is the server still there?" in report["warnings"][0]
    asks = report["asks"]
    assert asks["lost"] == asks["repeated"] == 0
    assert (
        asks["sent"] + asks["unsent"] == 3_000 and asks["acked"] + asks["unacked"] == asks["sent"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--password", "wrong"), "Agents cannot sign in as admin: The login or the password"),
        (("--data", "."), "is not a server's data folder"),
        (("--connections", "600", "--agents", "1"), "give at least --agents 2"),
        (("--url", "http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached"),
        (("--url", "127.0.0.1"), "--url must begin with http:// or https://"),
        (("--rate", "0"), "--rate must be at least"),
    ],
)
async def test_what_is_wrong_is_said_in_a_sentence(
    house: OwnServer, arguments: tuple[str, ...], said: str
) -> None:
    ended = await run_qingniao(
        "load", "--url", house.url, "--data", str(house.data), *arguments,
        QINGNIAO_PASSWORD=PASSWORD,
    )  # fmt: skip
    assert ended.code == 2 and said in ended.err and "Traceback" not in ended.err, ended


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_its_processes_do_not_outlive_it(house: OwnServer) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qingniao", "load", "--url", house.url, "--data", str(house.data),
        "--connections", "20", "--duration", "60", "--shape", "idle", "--processes", "2",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    workers: list[int] = []
    try:
        await until(lambda: len(children_of(process.pid)) == 2)
        workers = children_of(process.pid)
        while await metric(house, "qingniao_connections") < 20:
            await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await until(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))
    assert len(workers) == 2 and os.getpid() not in workers
