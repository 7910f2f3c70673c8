"""fill: background in a patch replaced by the tissue beside it, so that a patch on an edge is described by its tissue.

```text
tissue | background
 a b c n . . .    ->    a b c n c b a     mirrored across n, the nearest cell of tissue; n itself where that is no tissue
```
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]


def fill_background(patch_CYX: Array, tissue_YX: Array) -> Array:
    """A copy of a patch (C, Y, X) whose background shows the tissue mirrored across the nearest boundary, same type.

    `tissue_YX`: bool, one cell per pixel or per square of pixels; its sides divide those of the patch by one whole factor. A
    patch that is all tissue, or has none, is returned as it is.

    >>> fill_background(np.array([[[1, 2, 3, 4, 9, 9, 9]]]), np.arange(7)[None] < 4).tolist()
    [[[1, 2, 3, 4, 3, 2, 1]]]
    """
    if tissue_YX.all() or not tissue_YX.any():
        return patch_CYX
    filled = np.ascontiguousarray(patch_CYX).copy()
    cell, width = filled.shape[1] // len(tissue_YX), filled.shape[2]
    # flat indices of a cell's pixels: several times as fast as views
    square = (np.arange(cell)[:, None] * width + np.arange(cell)).ravel()
    to, source = (
        ((y * width + x)[:, None] * cell + square).ravel() for y, x in (np.nonzero(~tissue_YX), _sources(tissue_YX))
    )
    for channel in filled.reshape(len(filled), -1):
        channel[to] = channel[source]
    return filled


def _sources(tissue_YX: Array) -> tuple[Array, Array]:
    """For each cell of background, in C order, the cell of tissue that it shows: its (y, x)."""
    background = ~tissue_YX
    nearest = ndimage.distance_transform_edt(background, return_distances=False, return_indices=True)[:, background]
    last = np.array(tissue_YX.shape)[:, None] - 1
    mirrored = np.abs(2 * nearest - np.stack(np.nonzero(background)))
    mirrored = last - np.abs(last - mirrored)  # beyond the patch: mirrored at its edge, too
    y, x = np.where(tissue_YX[tuple(mirrored)], mirrored, nearest)
    return y, x
