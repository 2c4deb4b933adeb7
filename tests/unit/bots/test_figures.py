"""How a bot is doing: sums that add up whoever counted them, and what can be read from them."""

from collections import Counter

import pytest

from qingniao.bots.base import Usage
from qingniao.bots.figures import BUCKETS_MS, of_answer, of_failure, read_figures


def summed(*times_ms: float) -> Counter[str]:
    sums: Counter[str] = Counter()
    for first_ms in times_ms:
        sums += of_answer(Usage(), first_ms, first_ms)
    return sums


def test_nothing_is_known_of_a_bot_that_was_not_asked() -> None:
    figures = read_figures({})
    assert (figures.answers, figures.failures, figures.first_p50_ms, figures.cost) == (0, 0, 0, {})


@pytest.mark.parametrize("first_ms", [1, 99, 100, 101, 4_321, 60_000])
def test_time_is_read_from_the_bucket_that_it_fell_into(first_ms: int) -> None:
    high = next(end for end in BUCKETS_MS if end >= first_ms)
    low = max((end for end in BUCKETS_MS if end < high), default=0)
    read = read_figures(summed(*[first_ms] * 10))
    assert low < read.first_p50_ms <= read.first_p95_ms <= high


def test_what_takes_longer_than_any_bucket_counts_as_the_last() -> None:
    assert read_figures(summed(500_000)).first_p50_ms <= BUCKETS_MS[-1]
    assert read_figures(summed(500_000)).took_ms == 500_000


def test_slow_ones_show_among_many_fast_ones() -> None:
    figures = read_figures(summed(*[90] * 90, *[9_000] * 10))
    assert figures.first_p50_ms <= 100
    assert 7_500 < figures.first_p95_ms <= 10_000


def test_money_is_summed_by_currency() -> None:
    sums = of_answer(Usage(cost=0.25, currency="CNY"), 1, 1)
    sums += of_answer(Usage(cost=0.5, currency="CNY", prompt_tokens=3), 1, 1)
    sums += of_answer(Usage(cost=1.0, currency="USD", completion_tokens=4), 1, 1)
    sums += of_failure()
    figures = read_figures(sums)
    assert figures.cost == {"CNY": 0.75, "USD": 1.0}
    assert (figures.tokens, figures.answers, figures.failures) == (7, 3, 1)
