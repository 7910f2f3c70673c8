"""Area averaging: a coarser pixel is the mean of the pixels that it covers, for any division into reads.

```text
fine cells     |0|1|2|3|4|5|6|7|8|
coarse, k = 4  |---0---|---1---|-2     the last one is the mean of the cells that exist
coarse, r=2.5  |--0-|--1-|--2-|-3-     a fine cell on a border is weighted by its share inside
```
Weights depend on absolute positions and sums run in a fixed order, so a pixel has the same value in every read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..frame import Array

_SLIVER = 1e-6
"""A last cell that would cover less than this share of itself is rounding, not pixels."""


@dataclass(frozen=True, slots=True)
class Shrink:
    """Averaging along one axis: `ratio` fine cells make one coarse cell."""

    cells: int
    """Fine cells along the axis."""
    ratio: float
    """Fine cells in a coarse one; at least 1."""

    @property
    def whole(self) -> bool:
        """Whether the ratio is a whole number."""
        return self.ratio == round(self.ratio)

    @property
    def shape(self) -> int:
        """Coarse cells along the axis; the last may be partial."""
        return max(math.ceil(self.cells / self.ratio - _SLIVER), 1)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Fine cells [first, last) that coarse cells [start, stop) cover."""
        if stop <= start:
            return 0, 0
        first = math.floor(start * self.ratio)
        last = self.cells if stop >= self.shape else min(math.ceil(stop * self.ratio), self.cells)
        return min(first, self.cells - 1), last

    def weights(self, start: int, stop: int) -> tuple[Array, Array]:
        """First fine cell (coarse,) and float32 weights (tap, coarse) of coarse cells [start, stop); each sums to 1."""
        cell = np.arange(start, stop)
        low = cell * self.ratio
        high = np.minimum((cell + 1) * self.ratio, self.cells)
        high = np.where(cell == self.shape - 1, float(self.cells), high)
        first = np.minimum(np.floor(low).astype(np.int64), self.cells - 1)
        tap = np.arange(math.ceil(self.ratio) + 1)[:, None]
        left = first[None] + tap
        share = np.minimum(left + 1, high[None]) - np.maximum(left, low[None])
        share = np.maximum(share, 0.0)
        return first, np.asarray(share / share.sum(axis=0), np.float32)


Shrinks = tuple[Shrink, Shrink]
"""Averaging along y and x."""


def shrink(fine: Array, origin: tuple[int, int], boxes: tuple[tuple[int, int], tuple[int, int]], by: Shrinks) -> Array:
    """Coarse cells of `boxes` ((start, stop) along y and x) from `fine` (channel, y, x), which starts at `origin`.

    `fine` must hold the cells of `needs`. Keeps the dtype, rounding half up; floats stay floats.
    """
    if all(axis.whole for axis in by):
        return _by_blocks(fine, by)
    work = np.moveaxis(fine, 0, -1).astype(np.float32, order="C")
    for axis in (0, 1):
        work = _gather(work, axis, origin[axis], by[axis].weights(*boxes[axis]))
    return np.moveaxis(_rounded(work, fine.dtype), -1, 0)


def _gather(values: Array, axis: int, origin: int, how: tuple[Array, Array]) -> Array:
    """Weighted sum along an axis, tap after tap."""
    first, weights = how
    shape = (*values.shape[:axis], len(first), *values.shape[axis + 1 :])
    total, part = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    for tap, share in enumerate(weights):
        np.take(values, first - origin + tap, axis=axis, out=part, mode="clip")  # clipped cells have weight 0
        part *= share.reshape((-1,) + (1,) * (values.ndim - 1 - axis))
        total += part
    return total


def _by_blocks(fine: Array, by: Shrinks) -> Array:
    """Means of whole blocks; `fine` starts on a block's border. Partial blocks at the far edges are averaged by themselves."""
    ky, kx = (int(axis.ratio) for axis in by)
    if (ky, kx) == (1, 1):
        return fine
    channels, height, width = fine.shape
    out = np.empty((channels, -(-height // ky), -(-width // kx)), fine.dtype)
    full_y, full_x = height // ky, width // kx
    for rows, target_y, step_y in _parts(height, full_y, ky):
        for columns, target_x, step_x in _parts(width, full_x, kx):
            out[:, target_y, target_x] = _means(fine[:, rows, columns], step_y, step_x)
    return out


def _parts(length: int, full: int, k: int) -> list[tuple[slice, slice, int]]:
    """(fine cells, coarse cells, fine cells a coarse one) of the whole blocks and of the partial last one."""
    parts = [(slice(0, full * k), slice(0, full), k)] if full else []
    return parts + ([(slice(full * k, length), slice(full, full + 1), length - full * k)] if length % k else [])


def _means(fine: Array, ky: int, kx: int) -> Array:
    """Means of ky x kx blocks that divide `fine` evenly. Sums of whole numbers are exact, so their order cannot matter."""
    import cv2

    channels, height, width = fine.shape
    size = (width // kx, height // ky)
    top = np.iinfo(fine.dtype).max if np.issubdtype(fine.dtype, np.integer) else 1
    if ky * kx * top >= 2**24 or channels not in (1, 3, 4):  # sums that float32 cannot hold, pixels that OpenCV cannot
        blocks = fine.reshape(channels, size[1], ky, size[0], kx).mean(axis=(2, 4), dtype=np.float64)
        return _rounded(blocks, fine.dtype)
    picture = np.ascontiguousarray(np.moveaxis(fine, 0, -1))
    if (ky, kx) != (2, 2) or fine.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        picture = picture.astype(np.float32, copy=False)  # by 2 x 2 OpenCV has (a + b + c + d + 2) >> 2: no need
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], channels)
    return np.moveaxis(_rounded(small, fine.dtype), -1, 0)


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Half up for whole numbers; floats stay as they are."""
    if np.issubdtype(dtype, np.integer) and values.dtype != dtype:
        info = np.iinfo(dtype)
        values = np.floor(values + values.dtype.type(0.5)).clip(info.min, info.max)
    return values.astype(dtype, copy=False)
