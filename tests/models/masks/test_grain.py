"""Grain: the blur has scipy's bits, as masks of runs that have begun must not change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tile_engine.models.masks.grain import blurred
from tile_engine.models.masks.pieces import labelled


@pytest.mark.parametrize("sigma", [0.05, 0.39, 0.625, 1.25, 3.0, 5.5])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (150, 211)])
def test_a_plane_is_blurred_as_scipy_does_it(sigma: float, shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32)
    plane[: shape[0] // 2] = 240.0
    expected = ndimage.gaussian_filter(plane, sigma, mode="nearest")
    found = blurred(plane, sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=0)
    assert (found == expected).mean() > 0.999  # float64 sums may have another order, which seldom shows


def test_an_empty_mask_has_no_pieces() -> None:
    assert labelled(np.zeros((0, 5), bool)).shape == (0, 5)
