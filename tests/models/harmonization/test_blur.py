"""Blur and noise that were planted between two sets of pieces are found, from unpaired pieces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tile_engine.models.harmonization.blur import Blur, mean_spectrum, relative_blur
from tile_engine.stores.frame import Array


def blurred(values: Array, sigma: tuple[float, ...]) -> Array:
    """A Gaussian by its transfer function."""
    f = np.meshgrid(*(np.fft.fftfreq(n) for n in values.shape), indexing="ij")
    passed = np.exp(-2 * np.pi**2 * sum(s**2 * a**2 for s, a in zip(sigma, f, strict=True)))
    return np.fft.ifftn(np.fft.fftn(values) * passed).real


def pieces(seed: int, sigma: tuple[float, ...], noise: float) -> list[Array]:
    """Other textures for every seed, blurred, with noise."""
    draw = np.random.default_rng(seed)
    out = []
    for _ in range(12):
        texture = sum(gaussian_filter(draw.normal(size=(32, 32, 32)), s) * s**1.5 for s in (0.5, 1, 2, 4))
        out.append(blurred(texture, sigma) + noise * draw.normal(size=texture.shape))
    return out


def test_planted_blur_and_noise_are_found() -> None:
    blur = relative_blur(
        mean_spectrum(pieces(1, (0.8, 0.4, 0.0), 0.05)), mean_spectrum(pieces(2, (0.0, 0.0, 0.0), 0.0)), 32
    )
    assert np.allclose(blur.variances, (0.64, 0.16, 0.0), atol=0.06)
    assert blur.noise == pytest.approx(0.05, abs=0.015)


def test_a_sharper_source_is_smoothed() -> None:
    blur = relative_blur(
        mean_spectrum(pieces(1, (0.0, 0.0, 0.0), 0.0)), mean_spectrum(pieces(2, (0.7, 0.0, 0.0), 0.0)), 32
    )
    assert blur.smooths[0] == pytest.approx(0.7, abs=0.1) and blur.degrades[0] == 0


def test_the_spectrum_of_white_noise_is_its_variance() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (40, 16, 16))
    assert np.allclose(mean_spectrum(noise), 4, rtol=0.6) and mean_spectrum(noise).mean() == pytest.approx(4, rel=0.1)


def test_no_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one piece"):
        mean_spectrum([])


def test_negative_variances_degrade_nothing() -> None:
    assert Blur((0.25, -0.25), 0.0).degrades == (0.5, 0.0)
