"""glass: the glass that a coarse tissue mask takes for tissue along its edge, found by the pixels' own brightness.

A tissue mask is smooth: it closes gaps and passes corners. Cells as bright as the slide's glass that can be reached from
outside the mask, over such cells alone and not from far, are glass, too. Pale fat inside the tissue is not reached.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]
GLASS_DENSITY = 0.06
"""Optical density (natural logarithm) from the slide's glass, in any channel, below which a cell may be glass."""
MARGIN_CELLS = 1
"""Cells of tissue beside glass that count as glass: they are half glass, and their edge is out of focus."""


def without_glass(tissue_YX: Array, patch_CYX: Array, glass_C: Array, reach: int) -> Array:
    """The cells of tissue without the glass among them, bool (Y, X); as they are where no tissue would be left.

    `patch_CYX`: brightfield pixels (uint8); `tissue_YX` has a cell for each square of them. `glass_C`: intensity of the
    slide's empty glass. `reach`: cells from outside the mask, at most.
    """
    outside = ~tissue_YX
    if not outside.any():
        return tissue_YX
    rows, columns = tissue_YX.shape
    channels, height, width = patch_CYX.shape
    bands = patch_CYX.reshape(channels, rows, height // rows, width).sum(2, dtype=np.uint32)
    sums_CYX = bands.reshape(channels, rows, columns, width // columns).sum(3, dtype=np.uint32)
    mean_CYX = sums_CYX.astype(np.float32) * np.float32(rows * columns / (height * width))
    density_CYX = np.log((glass_C[:, None, None] + 1.0) / (mean_CYX + 1.0))
    bare = (np.abs(density_CYX) < GLASS_DENSITY).all(0)
    glass = ndimage.binary_dilation(outside, iterations=reach, mask=bare | outside)
    tissue: Array = ~ndimage.binary_dilation(glass, iterations=MARGIN_CELLS)
    return tissue if tissue.any() else tissue_YX
