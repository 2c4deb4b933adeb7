"""What a process of one role loads: nothing of the others. Its memory is for its connections."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qingniao.servers.redis_arrangements import RedisServers

OPEN = """
import asyncio, sys
from contextlib import AsyncExitStack
from qingniao.config import load_config
from qingniao.runtime.house import House
from qingniao.runtime.roles import read_roles

async def main():
    async with AsyncExitStack() as stack:
        house = House(load_config(), read_roles(sys.argv[1]))
        await house.open(stack)
        jobs = house.jobs()
        print(await house.listen())
        print(*sys.modules)
        for job in jobs:
            job.close()

asyncio.run(main())
"""
HTTP = {"litestar", "multipart", "argon2"}
SOCKETS = {"picows", "qingniao.gateway.hub", "qingniao.gateway.connection"}
ENGINES = {"rocksdict", "aiosqlite", "alembic", "obstore"}
LEARNING = {"tantivy", "qingniao.training", "qingniao.understanding.intent", "qingniao.samples"}
ANSWERING = {
    "qingniao.flow.engine", "qingniao.bots.local", "qingniao.bots.kinds", "qingniao.workers.ai",
    "aiohttp",
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "needed", "not_needed"),
    [
        ("gateway", SOCKETS, HTTP | ENGINES | LEARNING | ANSWERING),
        ("worker:assignment", {"qingniao.workers.assignment"},
         HTTP | SOCKETS | ENGINES | LEARNING | ANSWERING),
        ("worker:analytics,worker:delivery", {"qingniao.workers.index"},
         HTTP | SOCKETS | ENGINES | LEARNING | ANSWERING),
        ("api", HTTP, SOCKETS | ENGINES | {"tantivy", "qingniao.workers.ai", "aiohttp"}),
    ],
)  # fmt: skip
def test_a_role_loads_what_it_needs_and_nothing_of_others(
    role: str, needed: set[str], not_needed: set[str],
    postgres_url: str, redis_standalone: RedisServers, tmp_path: Path,
) -> None:  # fmt: skip
    settings = {
        "QINGNIAO_DATABASE_URL": postgres_url,
        "QINGNIAO_BUS_URL": redis_standalone.url,
        "QINGNIAO_BLOBS_URL": "postgresql",
        "QINGNIAO_DATA": str(tmp_path),
        "QINGNIAO_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", OPEN, role], env=os.environ | settings,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert needed <= loaded
    assert not not_needed & loaded
