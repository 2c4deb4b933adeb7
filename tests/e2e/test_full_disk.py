"""A disk that refuses while the server runs: senders are told, nothing acked is lost, and all goes
on when there is room again.

The disk is played by the limit on the size of files, which can be set on a running process without
being root: every write that would make a file grow fails.
"""

import asyncio
import resource

import pytest
from conftest import StartServer

from qingniao.protocol.codes import Close, Code
from qingniao.replay.house import Api, OwnServer
from qingniao.testing.history import violations
from qingniao.testing.seat import Seat, history_of, until
from qingniao.testing.servers import health, pid_of

pytestmark = pytest.mark.e2e


def fill_disk(server: OwnServer, *, full: bool) -> None:
    limits = (0 if full else resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid_of(server), resource.RLIMIT_FSIZE, limits)


async def until_health(url: str, wanted: tuple[int, str]) -> None:
    said: object = None
    try:
        async with asyncio.timeout(15):
            while (said := await health(url)) != wanted:
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"/healthz says {said}, not {wanted}")


async def test_a_full_disk_is_said_and_gets_over(start_server: StartServer) -> None:
    server = await start_server()
    token, conversation = await Api(server.url).visitor()
    seat = Seat(server.url, "visitor", token)
    async with seat.client:
        await seat.client.ready()
        first = await seat.say(conversation, "怎么退货")
        await until_health(server.url, (200, "ok"))

        fill_disk(server, full=True)
        second = seat.say(conversation, "运费多少")
        await until(lambda: seat.byes, 15)
        assert (seat.errors[0].code, seat.errors[0].temporary) == (Code.STORAGE_FULL, True)
        assert "not taken" in seat.errors[0].text
        assert seat.byes[0].code == Close.STORAGE and seat.byes[0].retry_after_ms > 0
        await until_health(server.url, (503, "storage"))
        assert not second.done(), "what was not stored is not acked"
        assert [said.fate for said in seat.said[conversation].values()] == ["acked", "open"]

        fill_disk(server, full=False)
        async with asyncio.timeout(30):
            receipt = await second
        await until_health(server.url, (200, "ok"))
        assert receipt.repeats >= 1 and receipt.seq > first.seq
        await until(lambda: _is_answered(seat, conversation, receipt.seq))
        await seat.look(conversation, pages=0, is_last=True)
        log = seat.looks[conversation][-1].entries
    assert violations(history_of(conversation, log, [seat.record(conversation)])) == []


def _is_answered(seat: Seat, conversation: int, after: int) -> bool:
    last = seat.last_shown(conversation)
    return last is not None and last.seq > after and last.sender == "b"
