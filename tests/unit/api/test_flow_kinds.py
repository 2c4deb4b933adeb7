"""The console's tests read the kinds of nodes from a file; here it is compared with the server."""

import json
from pathlib import Path

import msgspec

from qingniao.api.flow_bodies import FlowKinds
from qingniao.api.flow_kinds import kinds
from qingniao.flow.formats import FORMAT
from qingniao.flow.graph import MAX_NODES

KEPT = Path(__file__).parents[3] / "web/apps/console/test/data/flow-kinds.json"


def test_the_consoles_tests_know_the_kinds_that_there_are() -> None:
    told = msgspec.json.decode(msgspec.json.encode(FlowKinds(FORMAT, MAX_NODES, kinds())))
    kept = json.loads(KEPT.read_text("utf-8"))
    assert kept == told, "write what the server says into this file again"
