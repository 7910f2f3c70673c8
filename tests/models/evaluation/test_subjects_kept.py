"""People stay themselves, tissue keeps its contrast, and thumbnails keep means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from skimage.filters import threshold_multiotsu

from tile_engine.models.evaluation.subject_distances import rank_correlation
from tile_engine.models.evaluation.thumbnail import thumbnail
from tile_engine.models.evaluation.tissue_contrast import class_overlap, contrast, thresholds, tissue_classes


def test_a_gain_an_offset_and_a_rotation_keep_all_ranks() -> None:
    draw = np.random.default_rng(0)
    people = draw.normal(size=(6, 4))
    turn, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    assert rank_correlation(people, 2 * people @ turn + 1) == pytest.approx(1)
    other = draw.normal(size=(6, 4))
    assert rank_correlation(people, other) == pytest.approx(spearmanr(pdist(people), pdist(other)).statistic)


def test_people_who_became_one_and_too_few_people_have_no_ranks() -> None:
    people = np.arange(8.0).reshape(4, 2)
    assert np.isnan(rank_correlation(people, np.ones((4, 2)))) and np.isnan(rank_correlation(people[:2], people[:2]))
    with pytest.raises(ValueError, match="cannot be paired"):
        rank_correlation(people, people[:3])


def test_thresholds_are_those_of_scikit_image() -> None:
    draw = np.random.default_rng(0)
    values = np.concatenate([draw.normal(m, 0.1, 500) for m in (0.2, 1.0, 1.6)])
    low, high = np.percentile(values, (0.1, 99.9))
    np.testing.assert_allclose(thresholds(values), threshold_multiotsu(values.clip(low, high), 3), atol=0.02)


def test_contrast_of_three_tissues() -> None:
    values = np.array([9.0, 0.2, 0.2, 1.0, 1.0, 1.5, 1.5])
    mask = np.array([False, *[True] * 6])
    classes = tissue_classes(values, mask)
    assert classes.tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert contrast(values, classes) == pytest.approx(0.2)
    assert contrast(7 * values, tissue_classes(7 * values, mask)) == pytest.approx(0.2)


def test_a_constant_brain_has_no_contrast() -> None:
    values, mask = np.ones(5), np.ones(5, bool)
    assert np.isnan(contrast(values, tissue_classes(values, mask)))


def test_overlap_of_classes_is_dice() -> None:
    assert class_overlap(np.array([1, 1, 2, 2]), np.array([1, 2, 2, 2])) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert np.isnan(class_overlap(np.zeros(3), np.zeros(3)))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
def test_a_thumbnail_keeps_the_mean(height: int, width: int, side: int) -> None:
    values = np.random.default_rng(height * width).random((height, width))
    small = thumbnail(values, np.ones(values.shape, bool), side)
    assert small.shape == (side, side) and small.mean() == pytest.approx(values.mean(), rel=1e-4)


def test_a_thumbnail_is_of_the_masks_box_and_0_outside_the_mask() -> None:
    values, mask = np.ones((6, 6)), np.zeros((6, 6), bool)
    mask[1:5, 2:4] = True
    mask[1, 2] = False
    assert thumbnail(values, mask, side=2).tolist() == [[0.5, 1.0], [1.0, 1.0]]
    with pytest.raises(ValueError, match="empty"):
        thumbnail(values, ~np.ones_like(mask))
