"""The page on trying bot platforms names what the doubles can do, and nothing else."""

import re
from pathlib import Path

from qingniao.doubles.coze import TEAMS, CozeDouble
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.fastgpt import LABELS, FastGPTDouble
from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS

KINDS = (DifyDouble, FastGPTDouble, CozeDouble, OpenAIDouble)


def _page(root: Path) -> str:
    return (root / "docs/howto/try-bots.md").read_text("utf-8")


def test_every_scenario_is_described(root: Path) -> None:
    text = _page(root)
    known = {name for kind in KINDS for name in kind.scenarios()}
    table = text[text.index("| scenario |") : text.index("## In tests")]
    spelled = {word.partition(":")[0] for word in re.findall(r"`([a-z][a-zA-Z0-9:-]*)`", table)}
    assert known - spelled == set()
    assert spelled - known == set()


def test_every_dialect_intent_and_team_is_named(root: Path) -> None:
    text = _page(root)
    for name in (*DIALECTS, *LABELS, *TEAMS):
        assert name in text
