"""Head: where a volume has something in it; apart from tissue, because a scan's background is dark and noisy, not glass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

Array = npt.NDArray[Any]
SMOOTH_CELLS = 1.5
"""Of the Gaussian before the threshold, in cells of the finest axis."""
BRIGHT_PERCENTILE = 98.0
"""Percentile above which all is equally bright: fat and vessels must not raise the threshold over the brain."""
MIN_PIECE_SHARE = 0.1
"""Pieces smaller than this share of the largest are dropped: the ghost of an eye, the head rest."""
CLOSING_CELLS = 3
"""Cells over which gaps in the outline are closed, so that what they lead to is a hole, and filled."""


def head_mask(values_ZYX: Array, spacing: Sequence[float]) -> Array:
    """Where the volume is more than background, bool (Z, Y, X): bright pieces, their holes filled.

    `spacing` is of any unit; only how its axes compare matters. A volume of two values is its own mask: where the larger one
    is. Never empty for a volume with a difference in it.
    """
    low, high = values_ZYX.min(), values_ZYX.max()
    if not low < high:
        return np.zeros(values_ZYX.shape, bool)
    if ((values_ZYX == low) | (values_ZYX == high)).all():
        return np.asarray(values_ZYX == high)
    finest = min(spacing)
    image = ndimage.gaussian_filter(
        values_ZYX.astype(np.float32), [SMOOTH_CELLS * finest / s for s in spacing], mode="nearest"
    )
    for most in (np.percentile(image, BRIGHT_PERCENTILE), image.max()):  # the second where little is bright at all
        clipped = np.minimum(image, most)
        mask = np.asarray(clipped > _threshold(clipped)) if np.ptp(clipped) > 0 else np.zeros(image.shape, bool)
        if mask.any():
            break
    else:
        return np.asarray(values_ZYX > low + (float(high) - float(low)) / 2)
    mask = _large(mask)
    around = np.pad(mask, CLOSING_CELLS, mode="edge")
    inside = (slice(CLOSING_CELLS, -CLOSING_CELLS),) * mask.ndim
    closed = ndimage.binary_closing(around, iterations=CLOSING_CELLS)[inside]
    return np.asarray(_filled(mask | closed))


def _threshold(image: Array) -> float:
    """Half-way from the background to Otsu's threshold, as bone and fluid are dark too; clear of the background's noise."""
    otsu = float(threshold_otsu(image.ravel()))
    dark = image[image <= otsu]
    ground = float(np.median(dark))
    noise = 1.48 * float(np.median(np.abs(dark - ground)))
    return min(otsu, max(ground + (otsu - ground) / 2, ground + 4 * noise))


def _large(mask: Array) -> Array:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= MIN_PIECE_SHARE * sizes.max())[pieces] & mask)


def _filled(mask: Array) -> Array:
    """With what no path through background joins to the border."""
    pieces, count = ndimage.label(~mask)
    outside = np.zeros(count + 1, bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            outside[np.take(pieces, end, axis)] = True
    outside[0] = False
    return np.asarray(~outside[pieces])
