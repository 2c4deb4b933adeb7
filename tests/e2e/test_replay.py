"""`qingniao replay` drives recorded dialogues through a server of its own and counts what came of
them against the log."""

import json
from pathlib import Path

import pytest
from conftest import run_qingniao

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


async def test_a_file_that_is_none_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"turns": 3}\n')
    ended = await run_qingniao("replay", str(tmp_path / "broken.jsonl"))
    assert ended.code == 2, ended
    assert "not a file of recorded dialogues" in ended.err and "Traceback" not in ended.err
