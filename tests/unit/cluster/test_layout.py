"""Which processes a cluster has."""

from qingniao.cluster.layout import Size
from qingniao.runtime.roles import ALL, ServeRole, read_roles


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
