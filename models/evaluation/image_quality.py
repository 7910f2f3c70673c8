"""image_quality: how like the truth an image is inside a mask: structural similarity (SSIM) and peak signal-to-noise ratio.

SSIM is that of Wang et al. 2004 with Gaussian weights (sigma 1.5, 11 cells an axis, k1 0.01, k2 0.03) in as many dimensions as
the image has. The data range comes from outside, fixed for a cohort: the range of each image alone would reward noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[Any]
SIGMA, TRUNCATE, K1, K2 = 1.5, 3.5, 0.01, 0.03
RADIUS = int(TRUNCATE * SIGMA + 0.5)
"""Cells that the window reaches to each side."""
SLAB = 32
"""Cells of the first axis that are computed at once: a volume of any size needs the memory of a slab."""
RANGE_PERCENTILE = 99.9


def data_range(volumes: Iterable[tuple[Array, Array]]) -> float:
    """Mean over the target site's (values, mask) of the 99.9th percentile inside the mask. Raises ValueError for no volumes."""
    highest = [float(np.percentile(values[mask], RANGE_PERCENTILE)) for values, mask in volumes]
    if not highest:
        raise ValueError("no volumes of the target site: the data range of SSIM and PSNR is theirs")
    return float(np.mean(highest))


def ssim(image: Array, truth: Array, mask: Array, *, data_range: float) -> float:
    """Mean structural similarity over the mask's cells; 1 for equal images.

    `image`, `truth` and the bool `mask` have one shape. Cells outside the mask count only as neighbours.
    """
    box = _box(_checked(image, truth, mask))
    image, truth, mask = image[box], truth[box], mask[box]
    total = sum(float(part[inside].sum()) for part, inside in _slabs(image, truth, mask, data_range))
    return total / int(mask.sum())


def psnr(image: Array, truth: Array, mask: Array, *, data_range: float) -> float:
    """Peak signal-to-noise ratio over the mask's cells in dB; infinite for equal images.

    >>> truth, mask = np.zeros((2, 2)), np.ones((2, 2), bool)
    >>> psnr(truth + 0.1, truth, mask, data_range=1.0)
    20.0
    """
    _checked(image, truth, mask)
    error = float(np.square(image[mask].astype(np.float64) - truth[mask]).mean())
    return float(10 * np.log10(data_range**2 / error)) if error else float("inf")


def similarity_map(image: Array, truth: Array, *, data_range: float) -> Array:
    """Structural similarity at each cell, float64 of the images' shape; at the border images are reflected."""

    def mean(values: Array) -> Array:
        return np.asarray(gaussian_filter(values, SIGMA, truncate=TRUNCATE))

    a, b = image.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, covariance = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return np.asarray(above / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))


def _slabs(image: Array, truth: Array, mask: Array, data_range: float) -> Iterator[tuple[Array, Array]]:
    """(similarity, mask) of one slab after another; a slab reads its neighbours' nearest cells: slabs equal the whole."""
    for start in range(0, len(image), SLAB):
        stop = min(start + SLAB, len(image))
        low, high = max(0, start - RADIUS), min(len(image), stop + RADIUS)
        part = similarity_map(image[low:high], truth[low:high], data_range=data_range)
        yield part[start - low : stop - low], mask[start:stop]


def _box(mask: Array) -> tuple[slice, ...]:
    """The part of the image that the mask's similarities depend on."""
    ends = [
        np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))[[0, -1]] for axis in range(mask.ndim)
    ]
    return tuple(slice(max(0, int(a) - RADIUS), int(b) + RADIUS + 1) for a, b in ends)


def _checked(image: Array, truth: Array, mask: Array) -> Array:
    if not image.shape == truth.shape == mask.shape:
        raise ValueError(f"image {image.shape}, truth {truth.shape} and mask {mask.shape} differ in shape")
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to compare")
    return mask
