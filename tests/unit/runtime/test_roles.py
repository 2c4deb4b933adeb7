"""What a process can be, and what it says about itself when it serves nothing else."""

from collections.abc import AsyncIterator

import httpx
import pytest

from qingniao.config import GatewayConfig
from qingniao.errors import ConfigError
from qingniao.gateway.http_server import HttpServer
from qingniao.metrics import Metrics
from qingniao.runtime.health import Health
from qingniao.runtime.roles import ALL, ServeRole, read_roles
from qingniao.runtime.vitals import Vitals


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("all", ALL),
        ("gateway", {ServeRole.GATEWAY}),
        ("worker:ai, worker:delivery", {ServeRole.AI, ServeRole.DELIVERY}),
        ("gateway,all", ALL),
        (",".join(ServeRole), ALL),
    ],
)
def test_roles_are_read(text: str, roles: set[ServeRole]) -> None:
    assert read_roles(text) == roles


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker", "There is no role worker; the roles are gateway, api, worker:ai, "),
        ("gateway,apis", "There is no role apis"),
        ("", "needs at least one role"),
        (" , ", "needs at least one role"),
    ],
)
def test_what_is_no_role_is_told_with_those_there_are(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_roles(text)


class Process:
    """A worker's only page, on a port."""

    def __init__(self) -> None:
        self.health = Health(None)  # type: ignore[arg-type]  it is asked for its word only
        self.metrics = Metrics()
        self.metrics.add(self.health.readings)
        self.server = HttpServer(GatewayConfig(), Vitals(self.health, self.metrics))
        self.url = ""


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    process = Process()
    port = await process.server.start("127.0.0.1", 0)
    process.url = f"http://127.0.0.1:{port}"
    yield process
    await process.server.close(5)


async def test_health_is_ok_only_between_start_and_drain(process: Process) -> None:
    async with httpx.AsyncClient(base_url=process.url) as client:
        for state, status in (("starting", 503), ("ok", 200), ("storage", 503), ("draining", 503)):
            process.health.state = state
            answer = await client.get("/healthz")
            assert (answer.status_code, answer.json()["status"]) == (status, state)
            assert answer.headers["cache-control"] == "no-store"


async def test_metrics_are_there_and_nothing_else_is(process: Process) -> None:
    async with httpx.AsyncClient(base_url=process.url) as client:
        answer = await client.get("/metrics")
        assert "qingniao_loop_lag_ms" in answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (await client.get("/console/")).status_code == 404
        assert (await client.post("/healthz")).status_code == 405


async def test_a_process_without_sockets_takes_no_websocket(process: Process) -> None:
    headers = {
        "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "qn1.msgpack",
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=process.url) as client:
        assert (await client.get("/ws", headers=headers)).status_code == 404


async def test_closing_waits_for_nobody_who_is_idle(process: Process) -> None:
    async with httpx.AsyncClient(base_url=process.url) as client:
        await client.get("/healthz")
        await process.server.close(5)
        assert not process.server.front.http_state.connections
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")
