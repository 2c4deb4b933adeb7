"""Which processes a cluster has, and where they are reached."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from needs import need

from qingniao.cluster.layout import Layout, Size
from qingniao.errors import StartError
from qingniao.runtime.roles import ALL, ServeRole, read_roles
from qingniao.servers.haproxy import find_haproxy


def _roles(size: Size) -> list[frozenset[ServeRole]]:
    return [read_roles(role) for _, role, count in size.workers() for _ in range(count)]


def test_every_worker_is_somewhere_together_or_apart() -> None:
    workers = ALL - {ServeRole.GATEWAY, ServeRole.API}
    for size, processes in ((Size(), 4), (Size(is_together=True), 2), (Size(ai=2, delivery=2), 6)):
        found = _roles(size)
        assert len(found) == processes
        assert frozenset().union(*found) == workers


def test_whoever_answers_visitors_is_never_together_with_others() -> None:
    assert frozenset({ServeRole.AI}) in _roles(Size(is_together=True))


@pytest.fixture
def front_at() -> Callable[[str, Path], Layout]:
    """A cluster whose HAProxy listens there, on a free port."""
    try:
        find_haproxy()
    except StartError as exc:
        need(False, str(exc))
    return lambda host, folder: Layout(folder, host, 0, None, lambda line: False)


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1")],  # noqa: S104
)
async def test_the_front_is_ready_at_whichever_address_it_listens(
    front_at: Callable[[str, Path], Layout], tmp_path: Path, host: str, reached: str
) -> None:
    layout = front_at(host, tmp_path)
    assert layout.url == f"http://{reached}:{layout.port}"
    front = await asyncio.to_thread(layout.haproxy, [], [])
    try:
        await front.start()
    finally:
        await front.stop(5)


def test_an_address_with_colons_stands_in_brackets(tmp_path: Path) -> None:
    urls = [Layout(tmp_path, host, 8080, None, lambda line: False).url for host in ("::1", "::")]
    assert urls == ["http://[::1]:8080", "http://127.0.0.1:8080"]
