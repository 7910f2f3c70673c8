"""The maximum mean discrepancy: its definition pair by pair, and its p-value under no difference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tile_engine.models.evaluation.discrepancy import discrepancy


def test_it_is_the_sum_over_pairs_of_its_definition() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(4, 3)), draw.normal(1.0, 1.0, (5, 3))
    rows = np.concatenate([first, second])
    squares = [((a - b) ** 2).sum() for i, a in enumerate(rows) for b in rows[:i]]

    def mean(a, b, *, same: bool) -> float:
        pairs = [(i, j) for i, j in product(range(len(a)), range(len(b))) if not (same and i == j)]
        return float(np.mean([np.exp(-((a[i] - b[j]) ** 2).sum() / np.median(squares) / 2) for i, j in pairs]))

    expected = mean(first, first, same=True) + mean(second, second, same=True) - 2 * mean(first, second, same=False)
    assert discrepancy(first, second).mmd2 == pytest.approx(expected)


@pytest.mark.parametrize("paired", [False, True])
def test_a_shift_is_found(paired: bool) -> None:
    draw = np.random.default_rng(1)
    person = draw.normal(size=(12, 4))
    found = discrepancy(person, person + 1.5 + 0.1 * draw.normal(size=person.shape), paired=paired)
    assert found.mmd2 > 0.1 and found.p < 0.01


def test_pairs_reveal_a_shift_that_is_small_beside_the_differences_between_people() -> None:
    draw = np.random.default_rng(2)
    person = 3 * draw.normal(size=(12, 1))
    other = person + 0.6
    assert discrepancy(person, other, paired=True).p < 0.05 < discrepancy(person, other).p


def test_p_values_of_equal_distributions_are_even() -> None:
    draw = np.random.default_rng(3)
    p = [discrepancy(draw.normal(size=(8, 2)), draw.normal(size=(8, 2)), seed=i).p for i in range(60)]
    assert 0.35 < np.mean(p) < 0.65 and np.mean(np.array(p) < 0.1) < 0.25


def test_too_few_rows_and_unequal_pairs() -> None:
    assert np.isnan(discrepancy(np.zeros((1, 2)), np.zeros((5, 2))).mmd2)
    assert discrepancy(np.zeros((3, 2)), np.zeros((4, 2))).p == 1
    with pytest.raises(ValueError, match="same number of rows"):
        discrepancy(np.zeros((3, 2)), np.zeros((4, 2)), paired=True)
