"""The rank test gives scipy's exact p-values where scipy has them."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact, kruskal, mannwhitneyu

from tile_engine.models.evaluation.permutations import all_divisions, category_test, rank_test


@pytest.mark.parametrize("sizes", [(3, 3), (4, 6), (5, 5)])
def test_two_groups_are_mann_whitney(sizes: tuple[int, int]) -> None:
    values = np.random.default_rng(1).normal(size=(sum(sizes), 4))
    group = np.repeat([0, 1], sizes)
    p, least = rank_test(values, group)
    exact = [mannwhitneyu(v[group == 0], v[group == 1], method="exact").pvalue for v in values.T]
    assert p == pytest.approx(exact)
    apart, _ = rank_test(np.sort(values, axis=0), group)
    expected = (2 if sizes[0] == sizes[1] else 1) / comb(sum(sizes), sizes[0])
    assert least == pytest.approx(expected) and apart.min() >= least - 1e-12


def test_many_subjects_are_drawn_and_agree_with_kruskal_wallis() -> None:
    values = np.random.default_rng(2).normal(size=(60, 3))
    group = np.repeat([0, 1, 2], 20)
    values[group == 2, 0] += 1
    p, _ = rank_test(values, group)
    known = [kruskal(*(v[group == g] for g in range(3))).pvalue for v in values.T]
    assert p == pytest.approx(known, abs=0.02)
    assert np.array_equal(p, rank_test(values, group)[0])


def test_ties_do_not_matter() -> None:
    assert rank_test(np.zeros((8, 1)), np.repeat([0, 1], 4))[0].tolist() == [1.0]


def test_all_divisions_are_tried_once() -> None:
    found = [tuple(d) for d in all_divisions((1, 2, 3)).tolist()]
    assert len(found) == len(set(found)) == 60
    assert {tuple(np.bincount(d)) for d in found} == {(1, 2, 3)}


def test_categories_of_few_subjects_are_exact_and_of_many_agree_with_chi_squared() -> None:
    values, group = np.repeat([0, 1], 5), np.array([0, 0, 0, 0, 1, 0, 1, 1, 1, 1])
    table = [[4, 1], [1, 4]]
    assert category_test(values, group)[0] == pytest.approx(fisher_exact(table).pvalue)  # its margins are symmetric
    draw = np.random.default_rng(0)
    values, group = draw.integers(0, 3, 120), draw.integers(0, 2, 120)
    group[values == 2] = draw.random((values == 2).sum()) < 0.7
    table = [[int(((values == v) & (group == g)).sum()) for g in range(2)] for v in range(3)]
    assert category_test(values, group)[0] == pytest.approx(chi2_contingency(table).pvalue, abs=0.02)
    assert category_test(np.zeros(8, int), np.repeat([0, 1], 4))[0] == 1.0
