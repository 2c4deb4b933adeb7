"""`docs/reference/protocol.md` and the code say the same, row by row."""

import re
from pathlib import Path
from typing import Any

import pytest

from qingniao.chat.view import AGENTS_ONLY
from qingniao.config import WireConfig
from qingniao.protocol import frames
from qingniao.protocol.bodies import FROM_AGENT, FROM_VISITOR
from qingniao.protocol.codec import SUBPROTOCOLS
from qingniao.protocol.codes import TEMPORARY, Close, Code, comes_back

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "protocol.md").read_text("utf-8")


def _table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    _, _, after = PAGE.partition(f"\n{heading}\n")
    assert after, f"no heading {heading!r}"
    rows = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert rows is not None
    lines = rows.group().strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


KINDS: dict[int, Any] = {
    kind.__struct_config__.tag: kind
    for kind in (*frames.UpFrame.__args__, *frames.DownFrame.__args__)
}
UP = {kind.__struct_config__.tag for kind in frames.UpFrame.__args__}
DOWN = {kind.__struct_config__.tag for kind in frames.DownFrame.__args__}


def test_close_codes_are_the_documented_ones() -> None:
    rows = {int(code): name.strip("`") for code, name, _ in _table("## 8. Close codes")}
    assert rows == {int(code): code.name for code in Close}


def test_close_ranges_tell_whether_to_come_back() -> None:
    assert {code for code in Close if not comes_back(code)} == {
        code for code in Close if 3500 <= code < 4000
    }
    assert comes_back(1006)
    assert comes_back(1000)
    assert comes_back(4000)


def test_error_codes_are_the_documented_ones() -> None:
    rows = _table("## 9. Error codes")
    assert {int(row[0]): row[1].strip("`") for row in rows} == {int(c): c.name for c in Code}
    assert {int(row[0]) for row in rows if row[2] == "yes"} == {int(code) for code in TEMPORARY}


def test_frame_kinds_names_and_directions_are_the_documented_ones() -> None:
    ways = {(True, True): "both", (True, False): "up", (False, True): "down"}
    documented = {int(row[0]): (row[1].strip("`"), row[2]) for row in _table("## 3. Frames")}
    assert documented == {
        tag: (kind.__name__.lower(), ways[tag in UP, tag in DOWN]) for tag, kind in KINDS.items()
    }


@pytest.mark.parametrize("row", _table("## 3. Frames"), ids=lambda row: row[1])
def test_frame_fields_stand_in_the_documented_order_with_the_documented_defaults(
    row: list[str],
) -> None:
    kind = KINDS[int(row[0])]
    # Remarks in brackets and the shape of list items may hold commas.
    flat = re.sub(r"\([^)]*\)|of `\[[^`]*\]`", "", row[3])
    fields = []
    for part in flat.split(", "):
        name, _, default = part.partition("=")
        fields.append((name.split("`")[1], default.strip().strip("`")))
    assert [name for name, _ in fields] == list(kind.__struct_fields__)
    defaults = list(kind.__struct_defaults__)
    required = len(fields) - len(defaults)
    for (name, documented), default in zip(fields[required:], defaults, strict=True):
        value = default.factory() if hasattr(default, "factory") else default
        written = f'"{value}"' if isinstance(value, str) else str(value)
        assert documented == written, name
    assert all(not documented for _, documented in fields[:required])


def test_entry_types_are_the_documented_ones() -> None:
    rows = _table("### Entry types")
    assert {int(row[0]): row[1].strip("`") for row in rows} == {
        int(kind): kind.name.lower() for kind in frames.EntryType
    }
    senders = {int(row[0]): row[2] for row in rows}
    assert {kind for kind, who in senders.items() if "visitor" in who} == set(FROM_VISITOR)
    assert {kind for kind, who in senders.items() if "agent" in who} == set(FROM_AGENT)
    assert {int(row[0]) for row in rows if "agents only" in row[3]} == set(AGENTS_ONLY)


def test_limits_are_the_documented_ones_and_match_the_settings() -> None:
    _, _, section = PAGE.partition("\n## 7. Limits\n")
    section = section.partition("\n## ")[0].partition("welcome.limits`: ")[2]
    named = [name for name in re.findall(r"`(\w+)`", section) if name != "busy"]
    assert named == list(frames.Limits.__struct_fields__)
    assert WireConfig().limits(agent=False) == frames.Limits()


def test_subprotocols_are_the_documented_ones() -> None:
    assert {row[0].strip("`") for row in _table("## 1. Transport")} == set(SUBPROTOCOLS)
