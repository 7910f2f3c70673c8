"""Head mask: the voxels of a volume that are not background. Unlike glass on slides, a scan's background is dark and noisy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

Array = npt.NDArray[Any]
SMOOTH_CELLS = 1.5
"""Standard deviation of the Gaussian filter before the threshold, in cells of the finest axis."""
BRIGHT_PERCENTILE = 98.0
"""Percentile at which values are clipped: bright fat and vessels must not raise the threshold above the brain."""
MIN_PIECE_SHARE = 0.1
"""Pieces smaller than this share of the largest one are removed: ghosts, the head rest."""
CLOSING_CELLS = 3
"""Cells over which gaps in the outline are closed, so that cavities behind them are holes and are filled."""

MAX_OFFSET = 256
"""Ratio of the largest value to the range above which values are counted from the lowest one."""


def head_mask(values_ZYX: Array, spacing: Sequence[float]) -> Array:
    """Mask of the foreground of a volume, bool (Z, Y, X): bright pieces with their holes filled.

    `spacing` may have any unit; only the ratio of its axes matters. A volume of two values is its own mask: true at the
    larger value. The mask is empty only for a constant volume.
    """
    low, high = values_ZYX.min(), values_ZYX.max()
    if not low < high:
        return np.zeros(values_ZYX.shape, bool)
    if ((values_ZYX == low) | (values_ZYX == high)).all():
        return np.asarray(values_ZYX == high)
    finest = min(spacing)
    if max(abs(float(low)), abs(float(high))) > MAX_OFFSET * (float(high) - float(low)):
        values_ZYX = values_ZYX - low  # in their own type: float32 holds 7 digits
        low, high = values_ZYX.min(), values_ZYX.max()
    image = ndimage.gaussian_filter(
        values_ZYX.astype(np.float32), [SMOOTH_CELLS * finest / s for s in spacing], mode="nearest"
    )
    for ceiling in (np.percentile(image, BRIGHT_PERCENTILE), image.max()):  # the maximum where few voxels are bright
        clipped = np.minimum(image, ceiling)
        mask = np.asarray(clipped > _threshold(clipped)) if np.ptp(clipped) > 0 else np.zeros(image.shape, bool)
        if mask.any():
            break
    else:
        return np.asarray(values_ZYX > low + (float(high) - float(low)) / 2)
    mask = _large(mask)
    around = np.pad(mask, CLOSING_CELLS, mode="edge")
    interior = (slice(CLOSING_CELLS, -CLOSING_CELLS),) * mask.ndim
    closed = ndimage.binary_closing(around, iterations=CLOSING_CELLS)[interior]
    return np.asarray(_filled(mask | closed))


def _threshold(image: Array) -> float:
    """Half-way between background and Otsu's threshold, since bone and fluid are dark; at least 4 sd of noise above it."""
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
    """The mask with its holes: background that is not connected to the border."""
    pieces, count = ndimage.label(~mask)
    outside = np.zeros(count + 1, bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            outside[np.take(pieces, end, axis)] = True
    outside[0] = False
    return np.asarray(~outside[pieces])
