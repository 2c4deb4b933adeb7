"""The sixty-line client, as its own process, against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from qingniao.replay.house import OwnServer

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parents[2] / "examples" / "tiny_client.py"


@pytest.mark.parametrize(
    ("question", "said"), [("怎么退货", "《退换货规则》"), ("转人工", "转接人工")]
)
async def test_sixty_lines_get_an_answer_with_its_source(
    server: OwnServer, question: str, said: str
) -> None:
    text = EXAMPLE.read_text("utf-8")
    assert "import qingniao" not in text
    assert len(text.splitlines()) <= 70
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), server.url, question],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
