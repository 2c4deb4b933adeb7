"""Real servers for tests: one for a whole test run, or for each of its workers.

Rule: where one cannot be had its tests say so by `needs.need`.
"""

from collections.abc import Iterator

import httpx
import pytest
from needs import need

from qingniao.errors import StartError
from qingniao.servers.postgres import PostgresServer, find_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL. Whoever stops, kills or pauses it brings it back."""
    try:
        find_postgres()
    except StartError as exc:
        need(False, str(exc))
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database for one test."""
    yield postgres.new_database("test")


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """An S3 that keeps everything in memory; its endpoint. It has one bucket, `qingniao`."""
    from moto.server import ThreadedMotoServer  # a second, which only these tests pay

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/qingniao", timeout=10).raise_for_status()
    yield endpoint
    server.stop()
