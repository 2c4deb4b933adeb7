"""A slope is that of the line which lies nearest to the points."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench.gateway_slopes import slope  # noqa: E402  the benches are not part of the package


def test_a_line_has_its_own_slope_wherever_it_begins() -> None:
    assert slope([(1_000, 160.0), (8_000, 167.0), (15_000, 174.0)]) == pytest.approx(0.001)
    assert slope([(5, 3.0), (9, 3.0)]) == 0


def test_noise_is_levelled_out_and_one_outlier_does_not_hide_growth() -> None:
    assert slope([(0, 1.0), (1, 0.0), (2, 1.0), (3, 0.0)]) == pytest.approx(-0.2)
    assert slope([(0, 0.0), (1, 1.0), (2, 0.0), (3, 3.0)]) == pytest.approx(0.8)
