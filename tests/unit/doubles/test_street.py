"""All doubles together, as the command starts them."""

import asyncio
import json
import signal
import socket
import sys

import httpx
import pytest
from needs import may_lack

from qingniao.cli import main
from qingniao.doubles.street import NAMES, opened
from qingniao.errors import ConfigError, StartError


async def test_every_double_listens_on_a_port_of_its_own_and_none_afterwards() -> None:
    async with opened() as doubles:
        assert tuple(doubles) == NAMES
        urls = [double.url for double in doubles.values()]
        assert len(set(urls)) == len(NAMES)
        async with httpx.AsyncClient(trust_env=False) as http:
            for double in doubles.values():
                told = (await http.get(f"{double.url}/double")).json()
                assert told["platform"] == double.platform
                assert {"truncate", "quota"} <= set(told["scenarios"])
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in urls:
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


async def test_unknown_name_and_taken_port_are_said() -> None:
    with pytest.raises(ConfigError, match="litellm"):
        async with opened(["difi"]):
            pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartError, match=str(taken.getsockname()[1])):
            async with opened(["dify"], port=taken.getsockname()[1]):
                pass


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_address_of_ipv6_can_be_asked() -> None:
    may_lack(_has_ipv6(), "This machine has no IPv6.")
    async with (
        opened(["dify"], host="::1") as doubles,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        reply = await http.get(f"{doubles['dify'].url}/double")
    assert reply.json()["platform"] == "dify"


@pytest.mark.parametrize("port", [-1, 65_535, 70_000])
async def test_ports_that_there_are_not_are_said(port: int) -> None:
    with pytest.raises(ConfigError, match=f"No 2 ports from {port} on"):
        async with opened(["dify", "coze", "dify"], port=port):
            pass


@pytest.mark.parametrize("pace", ["-1", "nan", "inf"])
def test_pace_that_is_no_wait_is_said(pace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doubles", f"--pace={pace}"]) == 2
    assert "--pace must be a number" in capsys.readouterr().err


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_command_says_what_to_enter_and_stops_cleanly(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qingniao", "doubles", "dify", "coze", "--json", "--pace", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(20):
        entries = json.loads(await process.stdout.readline())
    app = next(entry for entry in entries if entry.get("app") == "chat")
    key = {"authorization": f"Bearer {app['key']}"}
    async with httpx.AsyncClient(trust_env=False) as http:
        reply = await http.get(f"{app['url']}/info", headers=key)
        assert reply.json()["mode"] == "chat"
        # A client that never reads its answer does not hold up the end.
        body = {"inputs": {}, "query": "你好 [[hang]]", "user": "v", "response_mode": "streaming"}
        asking = asyncio.create_task(
            http.post(f"{app['url']}/chat-messages", json=body, timeout=30, headers=key)
        )
        await asyncio.sleep(0.2)
        process.send_signal(number)
        async with asyncio.timeout(10):
            out, err = await process.communicate()
        await asyncio.gather(asking, return_exceptions=True)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.e2e
async def test_text_names_every_double_and_how_to_break_one() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qingniao", "doubles", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(20):
        while "Ctrl-C" not in "".join(lines[-1:]):
            lines.append((await process.stdout.readline()).decode())
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    text = "".join(lines)
    for word in (
        "Dify: 售后问答",
        "FastGPT: 意图分类",
        "Coze: 转接分组",
        "(ollama)",
        "PRIVATE KEY",
    ):
        assert word in text
    assert "/double -d truncate" in text
