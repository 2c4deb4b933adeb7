"""Servers that were put in order before a test that makes them fail."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from qingniao.servers.redis_arrangements import Cluster, RedisServers


@pytest.fixture(params=["standalone", "cluster"])
def servers(request: pytest.FixtureRequest) -> RedisServers:
    found: RedisServers = request.getfixturevalue(f"redis_{request.param}")
    found.mend()
    return found


@pytest.fixture
def cluster(redis_cluster: Cluster) -> Cluster:
    redis_cluster.mend()
    return redis_cluster


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
