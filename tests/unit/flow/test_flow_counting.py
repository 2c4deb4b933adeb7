"""What is counted of a step, and under which names."""

from typing import Any

import pytest

from qingniao.flow.counting import MAX_CHARS, counted, label_of, metric_of

TRACE = [{"node": "start", "port": "asked"}, {"node": "call/q", "port": ""}]


def test_a_step_counts_its_ways() -> None:
    step = {"flow": "shop@3,greet@1", "trace": TRACE}
    metric = metric_of("shop", 3)
    assert list(counted(step)) == [
        (metric, label_of("start", "asked")),
        (metric, label_of("call/q", "")),
    ]


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"trace": TRACE},
        {"flow": "shop@3"},
        {"flow": "shop@3", "trace": "x"},
        {"flow": "shop@3", "trace": ["x", {}]},
        {"flow": "shop@3", "trace": TRACE, "dropped": "owned"},
    ],
)
def test_what_is_no_step_of_a_flow_counts_nothing(step: dict[str, Any]) -> None:
    assert list(counted(step)) == []


def test_long_names_stay_apart_and_fit() -> None:
    names = {label_of("n" * 64, "p" * 30), label_of("n" * 64, "p" * 31), label_of("n" * 63, "p")}
    names |= {metric_of("f" * 64, 1), metric_of("f" * 64, 2)}
    assert len(names) == 5
    assert max(map(len, names)) <= MAX_CHARS
