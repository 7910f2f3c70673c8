"""Baselines: what each leaves as it is, and what it makes equal to the target site."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.exposure import match_histograms

from tile_engine.models.harmonization.baselines import BASELINES, IDENTITY
from tile_engine.models.harmonization.landmarks import LANDMARKS
from tile_engine.models.harmonization.quantiles import (
    LEVELS,
    mapped,
    matched,
    mean_quantile_function,
    quantile_function,
)

Array = npt.NDArray[Any]


def site(seed: int, gamma: float = 1.0, gain: float = 1.0, count: int = 3) -> list[tuple[Array, Array]]:
    """Volumes of a site: smooth positive values inside a box, 0 around it."""
    draw = np.random.default_rng(seed)
    mask = np.zeros((8, 9, 10), bool)
    mask[1:-1, 1:-1, 1:-1] = True
    made = []
    for _ in range(count):
        values = gain * draw.uniform(0.1, 1.0, mask.shape) ** gamma
        made.append(((values * mask).astype(np.float32), mask))
    return made


@pytest.mark.parametrize("name", BASELINES)
def test_a_transform_keeps_what_lies_outside_the_mask_and_its_argument(name: str) -> None:
    (values, mask), *_ = source = site(0)
    before = values.copy()
    changed = BASELINES[name](source, site(1, gamma=2.0))(values, mask)
    assert changed.dtype == np.float32 and changed.shape == values.shape
    np.testing.assert_array_equal(changed[~mask], values[~mask])
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("name", BASELINES)
def test_a_transform_keeps_the_order_of_values(name: str) -> None:
    (values, mask), *_ = source = site(0)
    changed = BASELINES[name](source, site(1, gamma=2.0))(values, mask)
    assert (np.diff(changed[mask][np.argsort(values[mask])]) >= -1e-6).all()


@pytest.mark.parametrize("name", [name for name in BASELINES if name != IDENTITY])
def test_another_gain_is_undone(name: str) -> None:
    """Two sites that differ by a gain alone: every baseline but the identity brings the same scan to itself."""
    target = site(0, count=1)
    source = [(4 * values, mask) for values, mask in target]
    (values, mask), (truth, _) = source[0], target[0]
    changed = BASELINES[name](source, target)(values, mask)
    np.testing.assert_allclose(changed, truth, atol=2e-3)


def test_z_scores_have_the_targets_moments() -> None:
    source, target = site(0, gain=3.0), site(1)
    changed = BASELINES["z-score"](source, target)(*source[0])[source[0][1]]
    inside = [values[mask] for values, mask in target]
    assert changed.mean() == pytest.approx(np.mean([v.mean() for v in inside]), rel=1e-3)
    assert changed.std() == pytest.approx(np.mean([v.std() for v in inside]), rel=1e-2)


def test_no_z_score_lies_below_the_targets_lowest_value() -> None:
    source, target = site(0, gamma=0.1), site(1, gamma=4.0)
    changed = BASELINES["z-score"](source, target)(*source[0])[source[0][1]]
    assert changed.min() == pytest.approx(min(values[mask].min() for values, mask in target))


def test_landmarks_of_a_volume_become_those_of_the_target() -> None:
    source, target = site(0, gamma=0.5), site(1, gamma=2.0)
    values, mask = source[0]
    changed = BASELINES["Nyul landmarks"](source, target)(values, mask)
    standard = mean_quantile_function(target, LANDMARKS)
    np.testing.assert_allclose(quantile_function(changed, mask, LANDMARKS), standard, atol=0.01)


def test_histogram_matching_agrees_with_scikit_image() -> None:
    (values, mask), (truth, _) = site(0, gamma=0.5)[0], site(1)[0]
    changed = matched(values, mask, quantile_function(truth, mask))
    expected = match_histograms(values[mask], truth[mask])
    np.testing.assert_allclose(changed[mask], expected, atol=0.01)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40))
def test_a_volume_matched_to_itself_stays(values: list[int]) -> None:
    volume, mask = np.array(values, np.float32), np.ones(len(values), bool)
    changed = matched(volume, mask, quantile_function(volume, mask))
    assert np.abs(changed - volume).max() <= 0.51  # ties lie anywhere on their step of the quantile function


def test_a_curve_continues_or_ends_beyond_its_points() -> None:
    values, mask = np.array([0.0, 1.0, 3.0], np.float32), np.ones(3, bool)
    curve = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    assert mapped(values, mask, curve).tolist() == [10, 10, 20]
    assert mapped(values, mask, curve, extend=True).tolist() == [0, 10, 30]
    assert mapped(values, mask, curve, extend=True, lowest=5.0).tolist() == [5, 10, 30]


def test_equal_inputs_of_a_curve_get_the_mean_of_their_outputs() -> None:
    values, mask = np.array([0.0, 1.0], np.float32), np.ones(2, bool)
    assert mapped(values, mask, (np.array([0.0, 0.0, 1.0]), np.array([2.0, 4.0, 5.0]))).tolist() == [3, 5]


def test_a_constant_volume_and_an_empty_mask() -> None:
    flat, mask = np.ones((3, 3), np.float32), np.ones((3, 3), bool)
    target = [(np.arange(9, dtype=np.float32).reshape(3, 3), mask)]
    assert (BASELINES["z-score"](target, target)(flat, mask) == 4).all()
    assert np.isfinite(BASELINES["mean histogram"](target, target)(flat, mask)).all()
    with pytest.raises(ValueError, match="empty"):
        quantile_function(flat, ~mask)
    for name in BASELINES:
        if name != IDENTITY:
            with pytest.raises(ValueError, match="no volumes of the target"):
                BASELINES[name](target, [])


def test_levels_reach_from_the_lowest_to_the_highest_value() -> None:
    assert (LEVELS[0], LEVELS[-1]) == (0, 1) and (np.diff(LEVELS) > 0).all()
