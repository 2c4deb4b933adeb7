"""Real Redis servers, each arrangement started once for a run (or xdist worker) that needs it.

Rule: where none can be had the tests say so by `needs.need`.
"""

from collections.abc import Iterator

import pytest
from needs import need

from qingniao.errors import StartError
from qingniao.servers.redis import find_program
from qingniao.servers.redis_arrangements import Cluster, RedisServers, Sentinels, Standalone


def _served(
    kind: type[RedisServers], engine: str = "", password: str = ""
) -> Iterator[RedisServers]:
    program = find_program(engine)
    try:
        if not program:
            raise StartError(f"There is no {engine or 'redis'}-server.")
        servers = kind(program, password=password)
    except StartError as exc:
        need(False, str(exc))
    with servers:
        yield servers


@pytest.fixture(scope="session")
def redis_standalone() -> Iterator[RedisServers]:
    yield from _served(Standalone)


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisServers]:
    """Open themselves; those that they watch ask for a password, as is usual."""
    yield from _served(Sentinels, password="watched")


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServers]:
    yield from _served(Cluster)


@pytest.fixture(scope="session")
def redis_valkey() -> Iterator[RedisServers]:
    """A cluster of Valkey's own, whatever else is installed, and with a password."""
    yield from _served(Cluster, "valkey", password="known")
