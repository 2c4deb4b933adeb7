"""A disk that refuses while the server runs: senders are told, nothing acked is lost, and all goes
on when there is room again.

The disk is played by the limit on the size of files, which can be set on a running process without
being root: every write that would make a file grow fails.
"""

import asyncio
import json
import resource
import urllib.error
import urllib.request

import pytest
from conftest import StartServer

from qingniao.client import Client
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import Bye, DownFrame, EntryType, Error, Page
from qingniao.replay.house import Api, OwnServer

pytestmark = pytest.mark.e2e


def fill_disk(server: OwnServer, *, full: bool) -> None:
    assert server.process is not None
    limits = (0 if full else resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)


async def health(url: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
                return answer.status, json.load(answer)["status"]
        except urllib.error.HTTPError as exc:
            return exc.code, json.load(exc)["status"]

    return await asyncio.to_thread(ask)


async def until_health(url: str, wanted: tuple[int, str]) -> None:
    said: object = None
    try:
        async with asyncio.timeout(15):
            while (said := await health(url)) != wanted:
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"/healthz says {said}, not {wanted}")


async def test_a_full_disk_is_said_and_gets_over(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.client.connection._BACKOFF_MAX_S", 0.3)
    server = await start_server(QINGNIAO_LOG_LEVEL="error")
    token, conversation = await Api(server.url).visitor()
    heard: list[DownFrame] = []
    async with Client(server.url, token=token, on_frame=heard.append) as client:
        await client.ready()
        first = await client.send(conversation, "怎么退货")
        await until_health(server.url, (200, "ok"))

        fill_disk(server, full=True)
        second = client.post(conversation, "运费多少")
        async with asyncio.timeout(15):
            while not any(isinstance(frame, Bye) for frame in heard):
                await asyncio.sleep(0.01)
        fault = next(frame for frame in heard if isinstance(frame, Error))
        assert (fault.code, fault.temporary) == (Code.STORAGE_FULL, True)
        assert "not taken" in fault.text
        bye = next(frame for frame in heard if isinstance(frame, Bye))
        assert bye.code == Close.STORAGE and bye.retry_after_ms > 0
        await until_health(server.url, (503, "storage"))
        assert not second.done(), "what was not stored is not acked"

        fill_disk(server, full=False)
        async with asyncio.timeout(30):
            receipt = await second
        await until_health(server.url, (200, "ok"))
        assert receipt.repeats >= 1 and receipt.seq > first.seq

        client.history(conversation, receipt.seq + 1, 100)
        async with asyncio.timeout(10):
            while not (pages := [frame for frame in heard if isinstance(frame, Page)]):
                await asyncio.sleep(0.01)
    stored = [e.body for e in pages[0].entries if e.type == EntryType.TEXT]
    assert stored == ["怎么退货", "运费多少"]
