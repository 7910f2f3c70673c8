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
    filled = np.array(patch_CYX, order="C")
    fill_in_place(filled, tissue_YX)
    return filled


def fill_in_place(filled: Array, tissue_YX: Array) -> None:
    """`fill_background` of a patch (C, Y, X) that is contiguous, in its own memory: what is shown is tissue, which stays."""
    if tissue_YX.all() or not tissue_YX.any():
        return
    cell = filled.shape[1] // len(tissue_YX)
    # a cell's row of pixels as one number, and flat indices of the rows: several times as fast as views
    size = cell * filled.itemsize
    rows_CN = filled.reshape(len(filled), -1).view(f"u{size}" if size in (1, 2, 4, 8) else f"V{size}")
    below = np.arange(cell) * tissue_YX.shape[1]
    to, source = ((cells[:, None] + below).ravel() for cells in _first_rows(tissue_YX, cell))
    for rows in rows_CN:
        rows[to] = rows[source]


def _first_rows(tissue_YX: Array, cell: int) -> tuple[Array, Array]:
    """For each cell of background, in C order, flat indices of the first row of `cell` rows: its own, and that of the cell of
    tissue that it shows."""
    tissue, width = tissue_YX.ravel(), tissue_YX.shape[1]
    nearest = ndimage.distance_transform_edt(~tissue_YX, return_distances=False, return_indices=True)
    cells = np.flatnonzero(~tissue)
    own = np.divmod(cells, width)
    near = [along.ravel()[cells].astype(np.int64) for along in nearest]
    mirrored = [np.abs(2 * n - o) for n, o in zip(near, own, strict=True)]
    y, x = (  # beyond the patch: mirrored at its edge, too
        last - np.abs(last - m) for m, last in zip(mirrored, np.array(tissue_YX.shape) - 1, strict=True)
    )
    seen = tissue[y * width + x]
    y, x = np.where(seen, y, near[0]), np.where(seen, x, near[1])
    return own[0] * (cell * width) + own[1], y * (cell * width) + x
