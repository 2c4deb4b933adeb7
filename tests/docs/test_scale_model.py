"""The page about scale says what its script says, and the script says where it has that from."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs import scale_figures
from docs.scale_figures import assumptions, gateway_us, measured
from docs.scale_model import PAGE, Line, Plan, model, page

ROOT = Path(__file__).parents[2]
BASES = {"measured", "extrapolated", "assumed"}


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "docs/topics/scale.md is old: run `make docs`"


def test_the_scripts_answer_is_on_the_page() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.scale_model"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    rows = done.stdout.splitlines()
    assert len(rows) > 20 and set(rows) <= set(PAGE.read_text("utf-8").splitlines())
    assert {row.rpartition(" | ")[2].strip(" |") for row in rows[2:]} <= BASES


def test_every_line_of_figures_says_what_it_rests_on() -> None:
    text = PAGE.read_text("utf-8")
    for figure in (*measured().values(), *assumptions().values()):
        row = next(line for line in text.splitlines() if line.startswith(f"| {figure.what} |"))
        assert row.endswith(f"| {figure.source} | {figure.basis} |") and figure.basis in BASES


def test_measured_is_what_the_benches_kept_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scale_figures, "ROOT", tmp_path)
    results = tmp_path / "bench/results"
    shutil.copytree(ROOT / "bench/results", results)
    node = results / "node-50k.json"
    kept = json.loads(node.read_text("utf-8"))
    kept["results"]["bytes_each"] = 4_321
    node.write_text(json.dumps(kept))
    found = measured()["bytes_each"]
    assert (found.value, found.source) == (4_321, "`node-50k`")
    del kept["results"]["kernel_bytes_each"]
    node.write_text(json.dumps(kept))
    with pytest.raises(KeyError, match="kernel_bytes_each"):
        measured()  # what is not there is not made up


def lines(plan: Plan) -> dict[tuple[str, str], Line]:
    return {(line.part, re.sub(r"\d+", "n", line.what)): line for line in model(plan)}


def test_more_of_anything_never_takes_less() -> None:
    small = Plan(connections=40_000, messages_a_day=4e6)
    for large in (
        Plan(connections=400_000, messages_a_day=4e6),
        Plan(connections=40_000, messages_a_day=4e9),
        Plan(connections=40_000, messages_a_day=4e6, peak=500.0),
    ):
        before, after = lines(small), lines(large)
        for key, line in before.items():
            if key != ("gateway", "until all are back after a loss of all") and (
                key != ("gateway", "memory of each")  # shared by more of them
            ):
                assert after[key].value >= line.value, key
    gateways = ("gateway", "processes")
    assert lines(Plan(connections=40_000, messages_a_day=4e9))[gateways].value > 3


def test_a_message_never_goes_to_more_than_two_gateways() -> None:
    one, three = 200.0, 300.0
    costs = [gateway_us(n, one, three) for n in range(1, 1_000)]
    assert costs[0] == one and costs[2] == pytest.approx(three)
    assert costs == sorted(costs) and costs[-1] < one + 1.5 * (three - one)
    assert gateway_us(50, 300.0, 290.0) == 300.0, "noise is not a gain"
