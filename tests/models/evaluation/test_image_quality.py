"""SSIM and PSNR inside a mask: scikit-image's whole-image figures are the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tile_engine.models.evaluation import image_quality
from tile_engine.models.evaluation.image_quality import data_range, psnr, similarity_map, ssim

Array = npt.NDArray[Any]
SHAPES = [(40, 33), (20, 18, 16)]


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[Array, Array]:
    draw = np.random.default_rng(seed)
    truth = draw.uniform(0, 2, shape).astype(np.float32)
    return (truth + draw.normal(0, 0.3, shape)).astype(np.float32), truth


def oracle(image: Array, truth: Array, limit: float) -> Array:
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": limit}
    return np.asarray(structural_similarity(image.astype(float), truth.astype(float), full=True, **settings)[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_map_is_scikit_images(shape: tuple[int, ...]) -> None:
    image, truth = pair(shape)
    np.testing.assert_allclose(similarity_map(image, truth, data_range=2.0), oracle(image, truth, 2.0), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_the_mean_of_the_map_inside_the_mask(shape: tuple[int, ...]) -> None:
    image, truth = pair(shape)
    mask = np.zeros(shape, bool)
    mask[(slice(7, 15),) * len(shape)] = True  # the part that is cut out does not reach the image's border
    expected = oracle(image, truth, 2.0)[mask].mean()
    assert ssim(image, truth, mask, data_range=2.0) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_slabs_of_any_thickness_equal_the_whole(slab: int) -> None:
    image, truth = pair((23, 11, 12))
    mask = np.random.default_rng(1).random(image.shape) < 0.3
    whole = oracle(image, truth, 2.0)[mask].mean()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_quality, "SLAB", slab)
        assert ssim(image, truth, mask, data_range=2.0) == pytest.approx(whole, abs=1e-12)


def test_psnr_is_scikit_images() -> None:
    image, truth = pair((9, 8, 7))
    mask = np.random.default_rng(1).random(image.shape) < 0.5
    expected = peak_signal_noise_ratio(truth[mask].astype(float), image[mask].astype(float), data_range=2.0)
    assert psnr(image, truth, mask, data_range=2.0) == pytest.approx(expected)


def test_equal_images_are_alike_and_cells_outside_the_mask_do_not_count_for_psnr() -> None:
    image, truth = pair((12, 12))
    mask = np.zeros(truth.shape, bool)
    mask[3:6, 3:6] = True
    assert ssim(truth, truth, mask, data_range=2.0) == pytest.approx(1.0)
    assert psnr(np.where(mask, truth, image), truth, mask, data_range=2.0) == float("inf")


def test_one_range_serves_a_cohort() -> None:
    mask = np.ones(1001, bool)
    volumes = [(np.arange(1001.0), mask), (np.arange(1001.0) * 3, mask)]
    assert data_range(volumes) == pytest.approx(2 * 999.0)
    with pytest.raises(ValueError, match="no volumes"):
        data_range([])


def test_other_shapes_and_an_empty_mask_are_errors() -> None:
    image, truth = pair((8, 8))
    with pytest.raises(ValueError, match="differ in shape"):
        ssim(image, truth[1:], np.ones((8, 8), bool), data_range=1.0)
    with pytest.raises(ValueError, match="empty"):
        psnr(image, truth, np.zeros((8, 8), bool), data_range=1.0)
