"""Recorded conversations, walked again with today's code, give the same effects."""

from pathlib import Path

import msgspec
import pytest

from qingniao.flow import samples
from qingniao.flow.plan import prepare
from qingniao.flow.replay import History, replay

FOLDER = Path(__file__).parents[2] / "data" / "flows"
HISTORIES = sorted(FOLDER.glob("*.json"))


def test_there_are_histories() -> None:
    assert len(HISTORIES) >= 13


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_history_is_walked_the_same_way(path: Path) -> None:
    history = msgspec.json.decode(path.read_bytes(), type=History)
    plan = prepare(samples.read(history.flow))
    walked = replay(plan, tuple(beat.told for beat in history.beats))
    for number, (now, then) in enumerate(zip(walked, history.beats, strict=True)):
        assert now.wanted == then.wanted, f"beat {number} of {history.title!r}"


def test_a_changed_sentence_is_noticed() -> None:
    history = msgspec.json.decode((FOLDER / "answered.json").read_bytes(), type=History)
    flow = samples.read(history.flow)
    nodes = tuple(
        msgspec.structs.replace(node, settings={"text": {"zh-CN": "别的话"}})
        if node.id == "greeting"
        else node
        for node in flow.nodes
    )
    plan = prepare(msgspec.structs.replace(flow, nodes=nodes))
    walked = replay(plan, tuple(beat.told for beat in history.beats))
    assert [now.wanted for now in walked] != [then.wanted for then in history.beats]
