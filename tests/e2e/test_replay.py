"""`qingniao replay` drives recorded dialogues through a server of its own and counts what came of
them against the log."""

import asyncio
import json
import random
from pathlib import Path

import pytest
from conftest import run_qingniao

from qingniao.replay.house import OwnServer
from qingniao.testing.network import Network

pytestmark = pytest.mark.e2e

DIALOGUES = Path(__file__).parents[1] / "data" / "dialogues.jsonl"


async def test_dialogues_with_broken_connections_lose_and_repeat_nothing() -> None:
    ended = await run_qingniao(
        "replay", str(DIALOGUES), "--visitors", "9", "--agents", "2", "--drops", "0.3", "--json"
    )
    assert ended.code == 0, ended
    report = json.loads(ended.out)
    assert (report["lost"], report["repeated"], report["problems"]) == (0, 0, [])
    # Three dialogues of two, two and one turns, three times each.
    assert report["visitors"] == 9 and report["sent"] == report["acked"] == 15, report
    assert report["handed_over"] >= 3 and report["answered_by_people"] >= 3, report
    assert report["answered_by_bot"] >= 6 and report["unanswered"] == 0, report


async def test_dialogues_through_a_bad_network_lose_and_repeat_nothing(
    server: OwnServer,
) -> None:
    chance = random.Random(20261125)
    async with Network(server.url) as network:
        network.behave(delay_s=0.005, slice_bytes=200)

        async def cut() -> None:
            cuts = 0
            while cuts < 20:  # however long it takes until somebody talks
                await asyncio.sleep(0.04)
                # What asks over HTTP does not ask again; whoever talks does.
                talking = [link for link in network.links if link.number]
                if talking:
                    chance.choice(talking).cut(rst=chance.random() < 0.5)
                    cuts += 1

        cutting = asyncio.create_task(cut())
        ended = await run_qingniao(
            "replay", str(DIALOGUES), "--visitors", "12", "--url", network.url, "--json"
        )
        cutting.cancel()
    assert ended.code == 0, ended
    report = json.loads(ended.out)
    assert (report["lost"], report["repeated"], report["problems"]) == (0, 0, [])
    assert report["sent"] == report["acked"] == 20 and report["reconnects"] > 0, report


async def test_a_file_that_is_none_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"turns": 3}\n')
    ended = await run_qingniao("replay", str(tmp_path / "broken.jsonl"))
    assert ended.code == 2, ended
    assert "not a file of recorded dialogues" in ended.err and "Traceback" not in ended.err
