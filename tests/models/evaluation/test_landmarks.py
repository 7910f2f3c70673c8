"""Errors of landmarks against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.evaluation.landmarks import affine_oracle, landmark_errors, pairs_errors

TARGET = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_errors_are_shares_of_the_diagonal() -> None:
    """On an image of 30 x 40 (diagonal 50), before 5 px each, after 0, 1, 2 and 10 px."""
    before = TARGET + np.array([3.0, 4.0])
    after = TARGET + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, -2.0], [6.0, 8.0]])
    errors = landmark_errors(TARGET, before, after, (30, 40))
    assert errors.count == 4
    assert errors.median_before == pytest.approx(0.1)
    assert errors.median == pytest.approx(1.5 / 50)
    assert errors.mean == pytest.approx(13 / 4 / 50)
    assert errors.largest == pytest.approx(0.2)
    assert errors.p90 == pytest.approx((2 + 0.7 * 8) / 50)
    assert errors.robustness == 0.75  # 10 px is further than 5 px


def test_pairs_count_once_each() -> None:
    near = landmark_errors(TARGET, TARGET + 5, TARGET + np.array([3.0, 4.0]), (30, 40))
    far = landmark_errors(TARGET[:1], TARGET[:1] + 5, TARGET[:1] + np.array([6.0, 8.0]), (30, 40))
    both = pairs_errors([near, near, far])
    assert (both.average_median, both.average_mean) == (pytest.approx(0.4 / 3), pytest.approx(0.4 / 3))
    assert (both.median_median, both.average_largest) == (pytest.approx(0.1), pytest.approx(0.4 / 3))
    assert both.average_robustness == pytest.approx(2 / 3)


def test_an_affine_map_leaves_the_oracle_no_error() -> None:
    moved = TARGET @ np.array([[0.9, 0.1], [-0.2, 1.1]]) + [5.0, -3.0]
    assert np.allclose(affine_oracle(moved, TARGET), TARGET)


def test_unequal_numbers_of_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        landmark_errors(TARGET, TARGET[:3], TARGET, (30, 40))
    with pytest.raises(ValueError, match="no pair"):
        pairs_errors([])
    with pytest.raises(ValueError, match="do not determine"):
        affine_oracle(TARGET[:2], TARGET[:2])
