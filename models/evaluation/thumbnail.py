"""thumbnail: a volume's head in a few thousand numbers, so that a cohort's volumes are compared from memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SIDE = 32
"""Cells of a thumbnail along each axis."""


def thumbnail(values: Array, mask: Array, side: int = SIDE) -> Array:
    """Means of the values over `side` equal parts of the mask's bounding box along each axis, float32 (side, ...).

    Values outside the mask count as 0. A part that is no whole number of cells takes shares of them.

    >>> thumbnail(np.arange(4.0), np.ones(4, bool), side=2).tolist()
    [0.5, 2.5]
    """
    if not mask.any():
        raise ValueError("the mask of the image is empty: it has no thumbnail")
    box = []
    for axis in range(mask.ndim):
        ends = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        box.append(slice(int(ends[0]), int(ends[-1]) + 1))
    small = np.where(mask[tuple(box)], values[tuple(box)], 0.0).astype(np.float32)
    for axis in range(mask.ndim):
        small = np.moveaxis(np.tensordot(_shares(small.shape[axis], side), small, (1, axis)), 0, axis)
    return small.astype(np.float32)


def _shares(cells: int, side: int) -> Array:
    """(side, cells): the share of each cell in the mean of each part."""
    edges = np.linspace(0, cells, side + 1)
    low, high = edges[:-1, None], edges[1:, None]
    index = np.arange(cells)[None]
    overlap = np.minimum(high, index + 1) - np.maximum(low, index)
    return np.asarray(np.maximum(overlap, 0.0) * side / cells, np.float32)
