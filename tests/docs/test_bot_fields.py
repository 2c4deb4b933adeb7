"""The console's page offers every setting of every kind of bot, by the name that the server has."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from qingniao.bots.coze import CozeSettings
from qingniao.bots.coze_auth import CozeApp
from qingniao.bots.dify import DifySettings
from qingniao.bots.fastgpt import FastGPTSettings
from qingniao.bots.kinds import KINDS
from qingniao.bots.openai import OpenAISettings
from qingniao.bots.remote import RemoteSettings
from qingniao.bots.wrappers.stack import Policy

PAGE = Path(__file__).parents[2] / "web/apps/console/src/bots/platforms.ts"
OF_THE_PAGE = {"proof"}
"""Fields that only decide which others are shown."""


def _platforms() -> dict[str, set[str]]:
    text = PAGE.read_text("utf-8")
    waits = {"connect_s", "idle_s"}
    found = {}
    for block in re.split(r"\n  \{\n    name: ", text)[1:]:
        name, rest = block.split(",", 1)
        rest = rest.split("\n  },\n")[0]
        fields = set(re.findall(r"\bname: \'?(\w+)\'?", rest)) - {"PROOF"}
        found[name.strip("'")] = fields | (waits if "...waits(" in rest else set())
    return found


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("dify", DifySettings),
        ("fastgpt", FastGPTSettings),
        ("coze", CozeSettings),
        ("openai", OpenAISettings),
        ("remote", RemoteSettings),
    ],
)
def test_every_setting_can_be_entered(kind: str, settings: type[Struct]) -> None:
    known = set(settings.__struct_fields__) | set(KINDS[kind].secrets)
    if kind == "coze":
        known |= set(CozeApp.__struct_fields__)
    assert _platforms()[kind] - OF_THE_PAGE == known


def test_every_kind_is_offered() -> None:
    assert set(_platforms()) == set(KINDS)


def test_every_rule_can_be_entered_and_has_the_servers_default() -> None:
    text = PAGE.read_text("utf-8")
    offered = dict(re.findall(r"name: \'(\w+)\', standard: ([\d.]+), group:", text))
    defaults = msgspec.structs.asdict(Policy())
    del defaults["then"]
    assert {name: float(value) for name, value in offered.items()} == defaults
