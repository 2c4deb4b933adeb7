"""`qingniao cluster` with real PostgreSQL, Redis and HAProxy, as an operator starts it."""

import asyncio
import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from conftest import run_qingniao
from needs import need, need_root
from stories import play

from qingniao.errors import StartError
from qingniao.replay.house import Api
from qingniao.servers.haproxy import find_haproxy
from qingniao.servers.postgres import find_postgres
from qingniao.servers.redis import find_program
from qingniao.testing.clusters import OwnCluster
from qingniao.testing.load import Size
from qingniao.testing.rolling import CLUSTER_LOADED, kill_each, restart_each, under_load
from qingniao.testing.seat import Seat, until

pytestmark = [pytest.mark.e2e]


@pytest.fixture(autouse=True)
def programs() -> None:
    try:
        find_postgres()
        find_haproxy()
    except StartError as exc:
        need(False, str(exc))
    if not find_program():
        need(False, "There is no Redis here.")


@pytest.mark.timeout(300)
async def test_nobody_notices_a_rolling_restart_nor_the_death_of_any_process() -> None:
    size = Size(by_bot=3, by_people=3, agents=2, pause_s=0.1)
    async with OwnCluster("--gateways", "2", settings=CLUSTER_LOADED) as cluster:
        steps = (restart_each, kill_each("gateway", "worker:ai", "worker:assignment"))
        outcome = await under_load(cluster, size, *steps)
        assert outcome.violations == [], outcome
        assert outcome.figures["left_alone"] == 0
        assert outcome.figures["kills"] == 4
        assert outcome.connections > 2 * 8, "they were sent away, and came back"
        assert not any("does not start" in line for line in cluster.said), cluster.said


@pytest.mark.timeout(240)
def test_visitor_and_agent_in_a_real_browser_survive_the_death_of_every_gateway() -> None:
    play("cluster.mjs")


async def learns(cluster: OwnCluster, question: str, answer: str) -> None:
    """An administrator imports it at an api process; a worker elsewhere answers with it."""
    admin = Api(cluster.url)
    await admin.sign_in("admin", cluster.password, "correct horse battery")
    entry = {"id": "new", "title": "新规", "question": question, "answer": answer}
    async with httpx.AsyncClient(base_url=cluster.url, trust_env=False, timeout=30) as client:
        signed_in = {"cookie": admin._cookie, "x-qingniao": "1"}
        files = {"file": ("new.json", json.dumps([entry]).encode())}
        done = await client.post("/api/v1/knowledge/import", headers=signed_in, files=files)
        assert (done.status_code, done.json()["imported"]) == (200, 1), done.text
    for _ in range(30):
        # Somebody else each time: who is not understood twice is given to a person.
        token, conversation = await Api(cluster.url).visitor()
        seat = Seat(cluster.url, "visitor", token)
        async with seat.client:
            await seat.say(conversation, question)
            said = await answered(seat, conversation)
        if answer in said:
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"nobody learnt it: {said}")


async def answered(seat: Seat, conversation: int) -> str:
    """What the bot said last, once it has said something."""

    def is_there() -> bool:
        last = seat.last_shown(conversation)
        return last is not None and last.sender == "b"

    await until(is_there)
    return str(seat.last_shown(conversation))


@pytest.mark.timeout(240)
async def test_a_cluster_ends_whole_and_goes_on_with_its_data() -> None:
    one_of_each = ("--gateways", "1", "--api", "1", "--redis", "cluster")
    async with OwnCluster(*one_of_each) as cluster:
        assert len(await cluster.processes("redis")) == 6
        password, folder = cluster.password, cluster.data / "cluster"
        await learns(cluster, "可以用海星币付款吗", "可以，一枚海星币抵一元。")
        assert password
        again = await run_qingniao("cluster", "--data", str(folder))
        assert again.code == 2 and "Another cluster runs in" in again.err
        pids = [process.pid for process in await cluster.processes()]
        assert await cluster.stop() == 0
        left = await asyncio.to_thread(lambda: [p for p in pids if Path(f"/proc/{p}").exists()])
        assert left == []

        cluster.password = ""
        await cluster.start()
        assert cluster.password == "", "the account is there, and its password was told"
        (proxy,) = await cluster.processes("haproxy")
        os.kill(proxy.pid, signal.SIGKILL)
        await cluster.says("haproxy runs again")
        assert password not in await cluster.log("api1")


async def test_a_folder_closed_to_postgresql_is_told_in_our_words(tmp_path: Path) -> None:
    need_root("Becoming somebody else, whom the folder is closed to,")
    ended = await run_qingniao("cluster", "--port", "0", "--data", str(tmp_path / "cluster"))
    assert ended.code == 2
    assert "cannot get into" in ended.err and "Run this as another user" in ended.err


@pytest.mark.parametrize("role", ["gateway", "worker:ai,worker:delivery"])
async def test_a_role_alone_needs_what_it_shares_with_others(role: str, tmp_path: Path) -> None:
    ended = await run_qingniao("serve", "--role", role, QINGNIAO_DATA=str(tmp_path))
    assert ended.code == 2
    assert "QINGNIAO_DATABASE_URL" in ended.err and "QINGNIAO_BUS_URL" in ended.err
