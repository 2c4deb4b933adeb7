"""The page on failures counts the drills that there are, and says what was measured."""

import json
import re
from pathlib import Path

from qingniao.testing.drills.table import DRILLS, SMALL

PAGE = "docs/topics/failures.md"
SILENCES = ("ack", "delivery", "answer", "unheard", "queue")


def test_the_page_counts_the_drills_that_there_are(root: Path) -> None:
    text = " ".join((root / PAGE).read_text("utf-8").split())
    found = re.search(r"runs all (\d+) at full length, `tests/e2e/test_drills.py` (\d+)", text)
    assert found and [*map(int, found.groups())] == [len(DRILLS), len(SMALL)]
    assert f"In all {len(DRILLS)}:" in text


def test_the_table_is_the_kept_run(root: Path) -> None:
    kept = json.loads((root / "bench/results/failover.json").read_text("utf-8"))["results"]
    rows = re.findall(
        r"^\| `([\w-]+)` \| [^|]+ \| (.+) \|$", (root / PAGE).read_text("utf-8"), re.M
    )
    assert {name for name, _ in rows} == {drill.name for drill in DRILLS}
    for name, figures in rows:
        assert figures.split(" | ") == [f"{kept[f'{name}_{what}_s']:.1f}" for what in SILENCES]
