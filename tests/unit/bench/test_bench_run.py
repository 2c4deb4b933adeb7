"""The frame of the benches: names, verdicts, and a last line that a machine can read."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench import run, widget_size  # noqa: E402  the benches are not part of the package


class Fake:
    """A made-up bench.

    Its second line is not shown.
    """

    GOALS: ClassVar = {"quick_s": run.Goal("<=", 1.5), "rate": run.Goal(">=", 100)}

    @staticmethod
    def measure(quick: bool) -> Mapping[str, object]:
        return {"quick_s": 1.5, "rate": 99, "note": "ok"}


def test_every_bench_has_goals_among_what_it_measures() -> None:
    assert {"start", "widget-size"} <= set(run.names())
    for name in run.names():
        found = run.load(name)
        assert found is not None and found.GOALS and callable(found.measure)


def test_the_last_line_is_the_verdict() -> None:
    lines = run.report("fake", Fake, Fake.measure(True))
    said = json.loads(lines[-1])
    assert said["bench"] == "fake"
    assert said["results"] == {"quick_s": 1.5, "rate": 99, "note": "ok"}
    assert said["goals"]["quick_s"] == {"want": "<= 1.5", "got": 1.5, "met": True}
    assert said["goals"]["rate"] == {"want": ">= 100", "got": 99, "met": False}
    assert lines[0] == "A made-up bench."
    assert any("rate" in line and "MISSED: >= 100" in line for line in lines[1:-1])


def test_a_goal_without_a_figure_is_a_fault() -> None:
    with pytest.raises(TypeError, match="quick_s"):
        run.report("fake", Fake, {"quick_s": "soon", "rate": 1})


def test_an_unknown_name_lists_the_known_ones() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.run", "nonsense"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "start|widget-size" in ended.stderr and not ended.stdout


def test_medians_are_not_means() -> None:
    assert run.median([1, 2, 90]) == 2


def build(web: Path) -> None:
    for name, size in {
        "widget.js": 10, "widget/panel-abc.js": 100, "widget/zh-abc.js": 20, "widget/en-abc.js": 30,
        "console/assets/app-1.js": 50, "console/assets/later-2.js": 1000,
    }.items():  # fmt: skip
        path = web / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(n * 7 % 251 for n in range(size)))
    page = '<script src="/console/assets/app-1.js"></script><link href="/console/assets/app-1.js">'
    (web / "console" / "index.html").write_text(page)


def test_sizes_count_one_language_and_what_the_page_names_once(tmp_path: Path) -> None:
    build(tmp_path)
    found = widget_size.measure(True, tmp_path)

    def packed(name: str) -> int:
        return widget_size._packed(tmp_path / name)

    whole = packed("widget.js") + packed("widget/panel-abc.js") + packed("widget/en-abc.js")
    assert found["opened_bytes"] == whole
    first_view = packed("console/index.html") + packed("console/assets/app-1.js")
    assert found["console_first_view_bytes"] == first_view


def test_a_half_build_is_not_measured(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "widget" / "panel-abc.js").unlink()
    with pytest.raises(FileNotFoundError, match="whole build"):
        widget_size.measure(True, tmp_path)


def test_several_runs_are_told_by_their_medians() -> None:
    runs = [{"rate": 3.0, "ok": True, "who": "a"}, {"rate": 9, "ok": True, "who": "b"},
            {"rate": 5.0, "ok": False, "who": "c"}]  # fmt: skip
    assert run.middle(runs, {}) == {"rate": 5.0, "ok": False, "who": "c"}
    assert run.middle(runs[:1], {}) == runs[0]


def test_what_must_not_happen_is_told_of_the_worst_run() -> None:
    runs = [{"lost": 0, "took_s": 1.0}, {"lost": 2, "took_s": 9.0}, {"lost": 0, "took_s": 2.0}]
    goals = {"lost": run.Goal("<=", 0), "took_s": run.Goal("<=", 3)}
    assert run.middle(runs, goals) == {"lost": 2, "took_s": 2.0}
