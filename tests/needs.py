"""What a test needs of the machine. Owns every skip of the suite.

Rule: what `make test` can bring along (`tests/setup.sh`) must be there in CI, so that a test cannot
go missing unnoticed; what only root may do is skipped where we are not root, there too.
"""

import os

import pytest

__all__ = ["need", "need_root"]


def need(has_it: bool, what: str) -> None:
    """Skip with the sentence `what` where something is missing; in CI, and with
    `QINGNIAO_REQUIRE_ENGINES` set, fail with it."""
    if has_it:
        return
    if os.environ.get("CI") or os.environ.get("QINGNIAO_REQUIRE_ENGINES"):
        pytest.fail(f"{what} CI must not skip this.")
    pytest.skip(what)


def need_root(what: str) -> None:
    """Skip where we are not root: no package gives a user that right."""
    if os.geteuid() != 0:
        pytest.skip(f"{what} takes root.")
