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

CROSS = ndimage.generate_binary_structure(2, 1)[None]
"""Neighbours of a cell: the four in its own patch. A call takes a fifth of a millisecond, however many patches it has."""


def without_glass(tissue_BYX: Array, patches_BCYX: Array, glass_C: Array, reach: int) -> Array:
    """The cells of tissue of each patch without the glass among them, bool (B, Y, X); as they are where none would be left.

    `patches_BCYX`: brightfield pixels (uint8); `tissue_BYX` has a cell for each square of them. `glass_C`: intensity of the
    slide's empty glass. `reach`: cells from outside the mask, at most.
    """
    count, rows, columns = tissue_BYX.shape
    channels, height, width = patches_BCYX.shape[1:]
    bands = patches_BCYX.reshape(count, channels, rows, height // rows, width).sum(3, dtype=np.uint32)
    sums_BCYX = bands.reshape(count, channels, rows, columns, width // columns).sum(4, dtype=np.uint32)
    mean_BCYX = sums_BCYX.astype(np.float32) * np.float32(rows * columns / (height * width))
    density_BCYX = np.log((glass_C[:, None, None] + 1.0) / (mean_BCYX + 1.0))
    outside = ~tissue_BYX
    bare = (np.abs(density_BCYX) < GLASS_DENSITY).all(1)
    glass = ndimage.binary_dilation(outside, CROSS, iterations=reach, mask=bare | outside)
    tissue = ~ndimage.binary_dilation(glass, CROSS, iterations=MARGIN_CELLS)
    return np.asarray(np.where(tissue.any((1, 2), keepdims=True), tissue, tissue_BYX))
