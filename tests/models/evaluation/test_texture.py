"""Texture: features of fine structure see blur and noise that matching histograms leaves, and not the brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from tile_engine.models.evaluation import texture
from tile_engine.models.evaluation.texture import intensity_features, structure_features
from tile_engine.models.harmonization.quantiles import matched, quantile_function

Array = npt.NDArray[Any]


def scan(sigma: tuple[float, float, float] = (1.0, 1.0, 1.0), seed: int = 0) -> tuple[Array, Array]:
    noise = np.random.default_rng(seed).normal(size=(20, 22, 24))
    mask = np.zeros(noise.shape, bool)
    mask[2:-2, 2:-2, 2:-2] = True
    return (5 + gaussian_filter(noise, sigma)).astype(np.float32) * mask, mask


def test_structure_does_not_depend_on_gain_and_offset() -> None:
    values, mask = scan()
    np.testing.assert_allclose(structure_features(3 * values, mask), structure_features(values, mask), atol=1e-4)


def test_structure_does_not_depend_on_where_the_head_lies() -> None:
    values, mask = scan()
    wide = [np.pad(part, ((30, 12), (12, 40), (20, 20))) for part in (values, mask)]
    np.testing.assert_allclose(structure_features(*wide), structure_features(values, mask), atol=1e-4)


def test_of_a_large_head_the_middle_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    values, mask = scan()
    monkeypatch.setattr(texture, "MAX_SIDE", 10)
    middle = (slice(5, 15), slice(6, 16), slice(7, 17))
    np.testing.assert_allclose(
        structure_features(values, mask), structure_features(values[middle], mask[middle]), atol=1e-4
    )


def test_blur_is_seen_after_histograms_were_matched() -> None:
    (sharp, mask), (blurred, _) = scan((0.5,) * 3), scan((1.5,) * 3)
    same = matched(blurred, mask, quantile_function(sharp, mask))
    assert np.abs(intensity_features(same, mask) - intensity_features(sharp, mask)).max() < 0.01
    assert np.abs(structure_features(same, mask) - structure_features(sharp, mask)).max() > 0.5


@pytest.mark.parametrize("axis", range(3))
def test_the_axis_that_is_blurred_has_least_curvature_and_most_alike_neighbours(axis: int) -> None:
    sigma = tuple(2.0 if a == axis else 0.7 for a in range(3))
    features = structure_features(*scan(sigma))
    curvature, likeness = features[14:17], features[17:].reshape(3, 3)
    assert curvature.argmin() == axis and likeness[:, 0].argmax() == axis


def test_images_of_two_axes_and_small_masks_have_features() -> None:
    values, mask = scan()
    assert structure_features(values[8], mask[8]).shape == (14 + 4 * 2,)
    dot = np.zeros_like(mask)
    dot[5:7, 5:7, 5:7] = True
    assert np.isfinite(structure_features(values, dot)).all()
    assert np.isfinite(structure_features(np.zeros_like(values), mask)).all()
    with pytest.raises(ValueError, match="empty"):
        structure_features(values, np.zeros_like(mask))
