"""A Redis that asks for a password tells it to nobody."""

import socket
from collections.abc import Iterator

import pytest
from needs import need

from qingniao.bus.redis_url import parse_url
from qingniao.errors import StartError
from qingniao.servers.redis_arrangements import Standalone

PASSWORD = "long-and-strange"


@pytest.fixture
def closed() -> Iterator[Standalone]:
    try:
        servers = Standalone(password=PASSWORD)
    except StartError as exc:
        need(False, str(exc))
    with servers:
        yield servers


def test_only_who_knows_the_password_is_let_in(closed: Standalone) -> None:
    assert parse_url(closed.url).password == PASSWORD
    assert closed.node.ask("PING") == b"PONG"
    with socket.create_connection(("127.0.0.1", closed.node.port), 5) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")


def test_the_password_is_where_only_its_owner_reads(closed: Standalone) -> None:
    (file,) = closed.node._folder.glob("*.conf")
    assert PASSWORD in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert PASSWORD not in (closed.node._folder / "log").read_text()


def test_it_asks_for_the_password_after_a_death_too(closed: Standalone) -> None:
    closed.restart_empty()
    assert closed.node.ask("PING") == b"PONG"
    with socket.create_connection(("127.0.0.1", closed.node.port), 5) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")
