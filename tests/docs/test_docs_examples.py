"""Examples in the documentation work: what is marked `run` runs, settings are settings."""

import asyncio
import os
import re
import sys
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qingniao.config import load_config
from qingniao.replay.house import OwnServer

ROOT = Path(__file__).parents[2]
EXAMPLE = "http://127.0.0.1:8080"
BLOCK = re.compile(r"^```(\w+)( run)?\n(.*?)^```$", re.M | re.S)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_WITHIN_S = 45


def _blocks(language: str, *, marked: bool) -> list[object]:
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        if "templates" not in page.parts
        for number, (kind, run, block) in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
        if kind == language and bool(run) == marked
    ]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[OwnServer]:
    """A server of its own, as `make run` starts one."""
    async with OwnServer({"QINGNIAO_LOG_LEVEL": "error"}, tmp_path / "data") as house:
        yield house


@pytest.mark.parametrize("text", _blocks("toml", marked=False))
def test_settings_in_the_documentation_are_right(text: str, tmp_path: Path) -> None:
    file = tmp_path / "qingniao.toml"
    file.write_text(text, "utf-8")
    load_config({}, file)


@pytest.mark.e2e
@pytest.mark.parametrize("code", _blocks("python", marked=True))
async def test_python_in_the_documentation_runs(
    code: str, server: OwnServer, tmp_path: Path
) -> None:
    assert EXAMPLE in code
    file = tmp_path / "example.py"
    file.write_text(code.replace(EXAMPLE, server.url), "utf-8")
    status, out = await _run(sys.executable, str(file))
    assert status == 0, out
    assert "stored as entry 1" in out
    assert "《退换货规则》第 1 条" in out


@pytest.mark.e2e
@pytest.mark.parametrize("script", _blocks("bash", marked=True))
async def test_shell_in_the_documentation_runs(script: str, server: OwnServer) -> None:
    status, out = await _run("bash", "-euo", "pipefail", "-c", script.replace(EXAMPLE, server.url))
    assert status == 0, out
    assert out.strip(), "an example that prints nothing shows nothing"


async def _run(*command: str) -> tuple[int, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("QINGNIAO_")}
    clean["PATH"] = f"{sysconfig.get_path('scripts')}:{clean['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command, env=clean, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_WITHIN_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode()
