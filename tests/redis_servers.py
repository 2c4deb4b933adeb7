"""Real Redis servers, each arrangement started once for a run (or xdist worker) that needs it.

Rule: where none can be had the tests say so by `needs.need`.
"""

from collections.abc import Iterator

import pytest
from needs import need

from qingniao.errors import StartError
from qingniao.servers.redis import (
    Cluster,
    RedisServers,
    Sentinels,
    Standalone,
    find_program,
)


def _served(kind: type[RedisServers], engine: str = "") -> Iterator[RedisServers]:
    program = find_program(engine)
    try:
        if not program:
            raise StartError(f"There is no {engine or 'redis'}-server.")
        servers = kind(program)
    except StartError as exc:
        need(False, str(exc))
    with servers:
        yield servers


@pytest.fixture(scope="session")
def redis_standalone() -> Iterator[RedisServers]:
    yield from _served(Standalone)


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisServers]:
    yield from _served(Sentinels)


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServers]:
    yield from _served(Cluster)


@pytest.fixture(scope="session")
def redis_valkey() -> Iterator[RedisServers]:
    """A cluster of Valkey's own, whatever else is installed."""
    yield from _served(Cluster, "valkey")
