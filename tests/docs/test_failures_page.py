"""The page on failures counts the drills that there are."""

import re
from pathlib import Path

from qingniao.testing.drills.table import DRILLS, SMALL


def test_the_page_counts_the_drills_that_there_are(root: Path) -> None:
    text = " ".join((root / "docs/topics/failures.md").read_text("utf-8").split())
    found = re.search(r"runs all (\d+) at full length, `tests/e2e/test_drills.py` (\d+)", text)
    assert found and [*map(int, found.groups())] == [len(DRILLS), len(SMALL)]
