"""The histogram never flatters, and what processes counted apart adds up."""

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qingniao.load.meter import Histogram, Tally

US = st.integers(0, 2**40)
SHARE = st.floats(0.001, 1.0)


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(US, min_size=1), SHARE)
def test_a_percentile_is_never_below_the_true_one_and_at_most_one_in_128_above(
    values: list[int], share: float
) -> None:
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    said = of(values).at(share)
    assert true <= said <= true + true / 128


@given(st.lists(US), st.lists(US), SHARE)
def test_merged_is_what_one_would_have_recorded(
    ours: list[int], theirs: list[int], share: float
) -> None:
    merged = of(ours)
    merged.merge(of(theirs))
    both = of(ours + theirs)
    assert merged == both
    assert merged.total == len(ours) + len(theirs) and merged.at(share) == both.at(share)


def test_small_values_and_the_largest_are_exact() -> None:
    histogram = of([0, 1, 255, 1_000_003])
    assert [histogram.at(share) for share in (0.25, 0.5, 0.75, 1)] == [0, 1, 255, 1_000_003]


def test_what_lies_before_its_beginning_counts_as_nothing() -> None:
    assert of([-5]).at(1) == 0


def test_an_empty_histogram_has_no_latencies() -> None:
    assert Histogram().at(0.99) == 0 and Histogram().total == 0


def counted() -> Tally:
    tally = Tally(connected=3, dropped={"3008": 2})
    tally.asks.sent = 5
    tally.asks.ack.record(700)
    return tally


def test_taking_begins_anew_and_leaves_the_parts_in_place() -> None:
    tally = counted()
    asks = tally.asks
    assert tally.take() == counted()
    assert tally == Tally() and tally.asks is asks
    asks.sent += 1
    assert tally.take().asks.sent == 1


def test_tallies_add_up_over_a_pipe() -> None:
    total = Tally()
    for _ in range(2):
        total.merge(msgspec.json.decode(msgspec.json.encode(counted()), type=Tally))
    assert (total.connected, total.asks.sent, total.dropped) == (6, 10, {"3008": 4})
    assert total.asks.ack.total == 2
