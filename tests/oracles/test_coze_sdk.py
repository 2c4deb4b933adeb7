"""Coze's own SDK understands the Coze double, tokens and workflows included."""

from pathlib import Path

import pytest
from doubles_house import StartDouble
from oracle_house import AskClient

from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.coze_auth import APP_ID, KEY_ID, private_key_pem
from qingniao.doubles.coze_records import BOTS
from qingniao.doubles.coze_workflows import WORKFLOW

pytestmark = pytest.mark.oracle


async def test_cozepy(
    start_double: StartDouble, ask_client: AskClient, tmp_path: Path, faq
) -> None:
    double = await start_double(CozeDouble)
    pem = tmp_path / "key.pem"
    pem.write_text(private_key_pem())
    found = await ask_client("ask_coze.py", double.url, *BOTS, WORKFLOW, APP_ID, KEY_ID, str(pem))
    answer = faq.by_id["s01-01"].answer
    assert found["stream"]["text"] == answer
    assert found["stream"]["types"] == ["answer", "verbose", "follow_up", "follow_up"]
    assert found["stream"]["chat"]["status"] == "completed"
    assert found["router"] == "物流组"
    assert found["failed"]["chat"]["last_error"] == {"code": 5000, "msg": "event interval error"}
    assert found["tools"][:3] == ["function_call", "tool_response", "answer"]
    for name, code in {
        "4015": 4015,
        "4016": 4016,
        "quota": 4028,
        "rate": 4013,
        "5000": 5000,
    }.items():
        assert found[f"error {name}"]["code"] == code
        assert found[f"error {name}"]["logid"]
    assert (found["unpublished"]["code"], found["wrong token"]["code"]) == (4015, 4100)
    assert found["polled"]["status"] == "completed"
    assert found["polled"]["answer"] == answer
    assert (found["canceled"], found["cancel twice"]["code"]) == ("canceled", 4104)
    assert "A12345" in found["form"]
    assert found["conversation"] == {"visitor": "v1"}
    assert found["conversations"] is True
    assert found["messages"][:2] == [["user", "question"], ["assistant", "answer"]]
    assert found["file"] == 4
    assert found["with file"].startswith("收到 1 个文件。")
    assert found["run"] == found["run stream"] == found["workflow chat"] == answer
    assert "A12345" in found["resumed"]
    assert (found["bot"], found["me"]) == ("售后问答", "double")
    assert (found["token type"], found["signed"]) == ("Bearer", "completed")
