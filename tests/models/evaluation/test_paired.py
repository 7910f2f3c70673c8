"""Paired comparisons: Holm's correction is the closed test of Bonferroni, and what is left out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from tile_engine.models.evaluation.paired import compare_pairs, holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_is_bonferroni_over_every_set_of_hypotheses(p: list[float]) -> None:
    """A hypothesis falls where every set that holds it falls, and a set falls by its smallest p times its size."""
    sets = [s for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    closed = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(len(p))]
    np.testing.assert_allclose(holm(p), closed)


def test_every_other_method_is_compared_and_p_is_corrected() -> None:
    draw = np.random.default_rng(0)
    ours = draw.uniform(0.8, 0.9, 13)
    others = {"z-score": ours - draw.uniform(0.01, 0.02, 13), "none": ours + draw.normal(0, 0.02, 13)}
    found = compare_pairs(ours, others)
    assert found["z-score"].better == 13 and found["z-score"].difference > 0
    for name, other in others.items():
        assert found[name].p == pytest.approx(wilcoxon(ours, other).pvalue)
    assert found["z-score"].p_corrected == pytest.approx(min(2 * found["z-score"].p, 1))


def test_equal_figures_and_missing_ones() -> None:
    ours = np.array([0.5, 0.6, np.nan, 0.7])
    same = compare_pairs(ours, {"same": ours})["same"]
    assert (same.subjects, same.better, same.p, same.difference) == (3, 0, 1.0, 0.0)
    nothing = compare_pairs(np.array([np.nan]), {"x": np.array([1.0])})["x"]
    assert nothing.subjects == 0 and nothing.p == 1.0 and np.isnan(nothing.difference)
    assert compare_pairs(ours, {}) == {}
