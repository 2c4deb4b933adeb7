"""What a test needs of the machine. Owns every skip of the suite.

Rule: what `make test` can bring along (`tests/setup.sh`) must be there in CI, so that a test cannot
go missing unnoticed; what no package can give (root, IPv6, somebody else's document) is skipped
where it is missing, there too.
"""

import os

import pytest

__all__ = ["may_lack", "need", "need_root"]


def need(has_it: bool, what: str) -> None:
    """Skip with the sentence `what` where something is missing; in CI, and with
    `QINGNIAO_REQUIRE_ENGINES` set, fail with it."""
    if not has_it and (os.environ.get("CI") or os.environ.get("QINGNIAO_REQUIRE_ENGINES")):
        pytest.fail(f"{what} CI must not skip this.")
    may_lack(has_it, what)


def may_lack(has_it: bool, what: str) -> None:
    """Skip with the sentence `what` where a thing is missing that no package can give."""
    if not has_it:
        pytest.skip(what)


def need_root(what: str) -> None:
    """Skip where we are not root."""
    may_lack(os.geteuid() == 0, f"{what} takes root.")
