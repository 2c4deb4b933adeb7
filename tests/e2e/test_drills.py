"""Every drill, at a size that a test run has time for: one test each, several on one cluster."""

import asyncio
from typing import Any

import pytest
from needs import need

from qingniao.errors import StartError
from qingniao.servers.haproxy import find_haproxy
from qingniao.servers.postgres import find_postgres
from qingniao.servers.redis import find_program
from qingniao.testing.drills.clocks import find_faketime
from qingniao.testing.drills.kinds import Lengths
from qingniao.testing.drills.runner import Scale, run
from qingniao.testing.drills.table import SMALL
from qingniao.testing.drills.verdict import Verdict

# The first of them waits for all that were asked for.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SCALE = Scale(
    # A lease lives for 15 s: who holds one is frozen for longer.
    lengths=Lengths(gone_s=4.0, way_s=2.5, frozen_s=17.0),
    settings={
        "QINGNIAO_DATABASE_TIMEOUT_MS": "2000",
        "QINGNIAO_BUS_DEADLINE_MS": "1000",
        "QINGNIAO_BUS_CLAIM_MS": "3000",
        "QINGNIAO_WIRE_BEAT_MS": "2000",
    },
)
LANES = 2
NAMES = [drill.name for drill in SMALL]
HOLD_ACKS_BACK = {"postgresql-stopped", "postgresql-still"}
GO_ON_WITHOUT = {"redis-gone", "redis-cluster-gone"}


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> dict[str, Verdict]:
    """Of the drills that are asked for, by name."""
    _check_programs()
    items: Any = request.session.items
    names = {
        item.callspec.params["name"]
        for item in items
        if item.path == request.path and hasattr(item, "callspec")
    }
    if "clocks-apart" in names and not find_faketime():
        names.remove("clocks-apart")
    drills = [drill for drill in SMALL if drill.name in names]
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(verdict: Verdict) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{verdict}{verdict.logs}", end="")

    found = asyncio.run(run(drills, SCALE, say, LANES))
    return {verdict.name: verdict for verdict in found}


def _check_programs() -> None:
    try:
        find_postgres()
        find_haproxy()
    except StartError as exc:
        need(False, str(exc))
    if not find_program():
        need(False, "There is no Redis here.")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_repeated_or_given_twice(name: str, verdicts: dict[str, Verdict]) -> None:
    if name not in verdicts:
        need(False, "Clocks are set apart by Debian's package faketime.")
    verdict = verdicts[name]
    assert verdict.violations == [], verdict
    assert (verdict.lost, verdict.repeated, verdict.given_twice) == (0, 0, 0)
    assert verdict.acked > 100 and verdict.assigned > 0
    if name in HOLD_ACKS_BACK:
        assert verdict.figures["acked_without"] == 0, "an ack means committed"
        told = verdict.figures["errors"] + verdict.figures["busy"] + verdict.figures["byes"]
        assert told > 0, "whoever writes is told"
    if name in GO_ON_WITHOUT:
        assert verdict.figures["acked_without"] > 0, "Redis is not needed for that"
