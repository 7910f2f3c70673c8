"""Odds ratios: those of scipy, and of many subjects too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import contingency, nchypergeom_fisher

from tile_engine.models.evaluation.effects import odds_ratio


@pytest.mark.parametrize(
    "table", [(9, 1, 2, 8), (7, 0, 7, 9), (0, 6, 3, 5), (3, 4, 5, 0), (1, 5, 90, 4), (40, 30, 60, 70)]
)
def test_odds_ratio_and_interval_are_those_of_scipy(table: tuple[int, int, int, int]) -> None:
    a, b, c, d = table
    expected = contingency.odds_ratio([[a, b], [c, d]], kind="conditional")
    interval = expected.confidence_interval(0.95)
    found = odds_ratio((a, b), (c, d))
    assert found == pytest.approx((expected.statistic, interval.low, interval.high), rel=1e-6)


def test_many_subjects_are_as_exact_and_close_to_the_log_odds() -> None:
    """With counts of thousands both intervals are nearly the same; one count of 2 is no trouble."""
    ratio, low, high = odds_ratio((9000, 6000), (8000, 7000))
    reach = 1.959964 * np.sqrt(1 / 9000 + 1 / 6000 + 1 / 8000 + 1 / 7000)
    assert ratio == pytest.approx(9000 * 7000 / 6000 / 8000, rel=1e-3)
    assert (low, high) == pytest.approx((ratio * np.exp(-reach), ratio * np.exp(reach)), rel=2e-3)
    chances = nchypergeom_fisher(30_000, 17_000, 15_000, low).pmf(np.arange(2_000, 15_001))
    assert chances[9000 - 2000 :].sum() == pytest.approx(0.025, rel=1e-6)
    assert 0 < odds_ratio((2, 9000), (8000, 7000))[1] < 2 * 7000 / 9000 / 8000
