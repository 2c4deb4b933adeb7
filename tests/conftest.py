"""What every test shares: a blocked event loop fails, and a whole gateway can be had.

Rule: additive. A room's own fixtures live beside its tests.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop
from blockbuster import BlockBuster, blockbuster_ctx
from bus_processes import bus_servers, join
from doubles_house import StartDouble
from engines import object_store, postgres, postgres_url
from gateway_house import GatewayHouse
from hypothesis import HealthCheck, settings
from redis_servers import redis_cluster, redis_sentinels, redis_standalone, redis_valkey
from scripted_server import ScriptedServer

from qingniao.doubles.double import Double
from qingniao.doubles.faq import Faq
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.guard import Guard

# Fixtures of every test.
__all__ = [
    "bus_servers", "join", "object_store", "postgres", "postgres_url", "redis_cluster",
    "redis_sentinels", "redis_standalone", "redis_valkey",
]  # fmt: skip

# Deterministic: a run of the suite says the same twice. The first example pays for imports.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# For hours of looking: `pytest tests/property -k … --hypothesis-profile long --timeout 0`.
settings.register_profile(
    "long",
    settings.get_profile("suite"),
    derandomize=False,
    max_examples=20_000,
)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Nobody asks for an event loop outside of a test: asked, the policy would make one that
    nobody closes."""
    asyncio.set_event_loop(None)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Raw sockets are tested on the loop that `qingniao serve` runs on: it closes and buffers in
    its own way."""
    if item.path.name.startswith("test_websocket_"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[BlockBuster]:
    """Blocking calls made by our code on the event loop raise `BlockingError`."""
    with blockbuster_ctx("qingniao") as guard:
        # Opening and closing the log's folder happens once, before and after anybody is served;
        # the first write starts the writer's thread. A broken engine is opened again at once:
        # nothing can be served without it.
        for call, where in {
            "os.mkdir": ["__init__"],
            "os.stat": ["__init__", "mend"],
            "threading.Lock.acquire": ["close", "write", "mend"],
        }.items():
            guard.functions[call].can_block_in("storage/message_engine.py", where)
        # PostgreSQL's driver looks for a file of passwords and for certificates at each connection
        # that a pool opens: some looks at small local files, at the start and after an outage.
        for function in guard.functions.values():
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
        yield guard


Build = Callable[..., Awaitable[GatewayHouse]]


@pytest.fixture
async def build_house(tmp_path: Path) -> AsyncIterator[Build]:
    """Makes gateways over a real log; closes them all afterwards."""
    async with AsyncExitStack() as stack:

        async def build(**changes: Any) -> GatewayHouse:
            house = GatewayHouse(tmp_path / "log", **changes)
            await house.open()
            stack.push_async_callback(house.close)
            return house

        yield build


@pytest.fixture
async def house(build_house: Build) -> GatewayHouse:
    """A gateway with the default settings, except that waiting is short."""
    return await build_house()


@pytest.fixture
def copy_folder() -> Callable[[Path, Path], None]:
    """What a killed process leaves: the files as they are at this moment, without closing."""

    def copy(source: Path, target: Path) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("LOCK"))

    return copy


@pytest.fixture(scope="session")
def faq() -> Faq:
    """The sample shop, as every double knows it. Reads a file: made outside of any loop."""
    return Faq()


@pytest.fixture
async def start_double(faq: Faq) -> AsyncIterator[StartDouble]:
    """`await start_double(OpenAIDouble, dialect="qwen")`: a double that listens; closed at the
    end."""
    async with AsyncExitStack() as stack:

        async def start(kind: type[Double], **how: Any) -> Double:
            double = kind(faq, **{"clock": time.time, **how})
            await double.start()
            stack.push_async_callback(double.close)
            return double

        yield start


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    """The client for other machines, which may ask this one."""
    client = Outgoing(Guard(["127.0.0.1"]))
    yield client
    await client.close()


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server that says what the test writes down."""
    server = ScriptedServer()
    await server.start()
    yield server
    await server.close()
