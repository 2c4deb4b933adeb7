"""The example client, as its own process: made from the reference alone, it must keep its word."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from conftest import StartServer

from qingniao.client import Client
from qingniao.protocol.frames import DownFrame, Entry, EntryType, Page
from qingniao.replay.house import OwnServer
from qingniao.testing.network import Cut, Network

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parents[2] / "examples" / "durable_client.py"


async def ask(url: str, question: str, folder: Path) -> str:
    """Run the example in `folder`; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), url, question, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def stored(url: str, folder: Path) -> list[Entry]:
    """The conversation as a new device of the same visitor reads it."""
    me = json.loads((folder / "durable_client.json").read_text("utf-8"))
    page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Page) and not page.done():
            page.set_result(frame)

    async with Client(url, token=me["token"], on_frame=hear) as client:
        await client.ready()
        last = client.states[me["conversation"]]["last"]
        client.history(me["conversation"], last + 1, 100)
        async with asyncio.timeout(10):
            await page
    return list(page.result().entries)


async def test_it_prints_the_answer_and_its_source(server: OwnServer, tmp_path: Path) -> None:
    assert "import qingniao" not in EXAMPLE.read_text("utf-8")  # nothing of ours helps it
    printed = await ask(server.url, "怎么退货", tmp_path)
    answer, source, *_ = printed.splitlines()
    assert "7 天内" in answer and "申请退货" in answer
    assert source.startswith("[《退换货规则》")
    # What was streamed is not printed a second time with the entry.
    assert answer.count("申请退货") == 1


async def test_it_keeps_its_numbers_between_runs(server: OwnServer, tmp_path: Path) -> None:
    await ask(server.url, "怎么退货", tmp_path)
    await ask(server.url, "运费多少", tmp_path)
    said = [e.body for e in await stored(server.url, tmp_path) if e.sender == "v"]
    assert said == ["怎么退货", "运费多少"]


async def test_a_question_whose_ack_was_lost_is_stored_once(
    server: OwnServer, tmp_path: Path
) -> None:
    def lose_first_ack(connection: int, frame: str) -> bool:
        if connection == 1 and frame.startswith("[33,"):
            raise Cut
        return True

    async with Network(server.url, lose_first_ack) as network:
        printed = await ask(network.url, "怎么退货", tmp_path)
        assert network.connections == 2
    assert "申请退货" in printed
    entries = await stored(server.url, tmp_path)
    assert [e.body for e in entries if e.sender == "v"] == ["怎么退货"]
    assert len([e for e in entries if e.type == EntryType.ANSWER]) == 1


async def test_a_lost_entry_is_fetched_again(server: OwnServer, tmp_path: Path) -> None:
    lost: list[str] = []

    def lose_one_entry(_connection: int, frame: str) -> bool:
        if frame.startswith("[35,") and not lost:
            lost.append(frame)
            return False
        return True

    async with Network(server.url, lose_one_entry) as network:
        printed = await ask(network.url, "怎么退货", tmp_path)
        assert network.connections == 1
    assert lost and "申请退货" in printed
    me = json.loads((tmp_path / "durable_client.json").read_text("utf-8"))
    assert me["seq"] == (await stored(server.url, tmp_path))[-1].seq


async def test_it_waits_for_a_server_that_restarts(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = await start_server()
    port = int(server.url.rpartition(":")[2])
    await ask(server.url, "怎么退货", tmp_path)
    server.kill()
    await server.stop()
    asking = asyncio.create_task(ask(server.url, "运费多少", tmp_path))
    await server.start(port)
    assert (await asking).strip()
    said = [e.body for e in await stored(server.url, tmp_path) if e.sender == "v"]
    assert said == ["怎么退货", "运费多少"]
