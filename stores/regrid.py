"""Regrid: a stored layer on another frame of the same axes, block by block: labels by nearest neighbour, values linearly.

```text
layer    |     0     |     1     |     2     |      centres are compared, on each axis for itself
target   | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
```
Layer and target share the axes of one grid, so an oblique volume needs nothing more. A cell of a layer that holds its fill
value or NaN was never computed: it is background. It has no part in a mean, and what is nearest to it stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .frame import Array, Box, Frame
from .image import StoredImage

BLOCK_BYTES = 64_000_000
"""Approximate memory of one block, and the size up to which a layer is read as a whole."""
TOLERANCE = 1e-2
"""Largest distance between cells that are the same, in cells."""
_LINEAR_BYTES = 48
"""Bytes of working memory per cell of a block that is interpolated."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Cells of a layer around the centres of target cells, on one axis."""

    nearest: Array
    low: Array
    high: Array
    weight: Array
    """Of `high`, 0 to 1."""
    inside: Array
    """Whether the centre lies on the layer."""

    @property
    def span(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max()) + 1


class Regridded:
    """The finest level of a stored layer, read on `frame`."""

    def __init__(self, image: StoredImage, frame: Frame, *, nearest: bool) -> None:
        self.frame = frame
        self.dtype = np.dtype(image.dtype)
        self._image, self._nearest = image, nearest
        self._array = image.levels[0]
        self._is_same = is_same_grid(image.frames[0], frame)
        spec = self._array.spec
        self._whole = self._array.read_all() if spec.nbytes <= BLOCK_BYTES else None

    @property
    def block_cells(self) -> int:
        """Cells that are read at once, so that memory does not grow with the frame."""
        layer = self._image.frames[0]
        per_cell = math.prod(max(1.0, t / s) for t, s in zip(self.frame.spacing, layer.spacing, strict=True))
        cost = (self.dtype.itemsize * 2 if self._nearest else _LINEAR_BYTES) * per_cell * self._image.channels
        return max(1, int(BLOCK_BYTES / cost))

    def read(self, channel: int, box: Box) -> Array:
        """Cells of a box of the frame, in the layer's own type."""
        if self._is_same:
            return np.asarray(self._cells(box)[channel])
        axes = [self._axis(axis, box.start[axis], box.stop[axis]) for axis in range(len(self.frame.shape))]
        around = Box(*zip(*(axis.span for axis in axes), strict=True))
        cells = self._cells(around)
        own = cells[channel]
        nearest = own[np.ix_(*(axis.nearest - first for axis, first in zip(axes, around.start, strict=True)))]
        if not self._nearest:
            nearest = self._linear(own, self._is_computed(cells), nearest, axes, around.start)
        for n, axis in enumerate(axes):
            if not axis.inside.all():
                nearest[(slice(None),) * n + (~axis.inside,)] = self._array.spec.fill
        return np.asarray(nearest)

    def _linear(self, own: Array, computed: Array, nearest: Array, axes: list[_Axis], first: tuple[int, ...]) -> Array:
        """`nearest`, with the weighted mean of the computed cells around where its cell is computed."""
        working = np.float64 if self.dtype == np.float64 else np.float32
        total, weight = np.where(computed, own, 0).astype(working), computed.astype(working)
        known = computed[np.ix_(*(axis.nearest - f for axis, f in zip(axes, first, strict=True)))]
        for n, axis in enumerate(axes):
            total, weight = (_between(values, n, axis, first[n]) for values in (total, weight))
        np.divide(total, weight, out=total, where=known)
        if known.any():  # rounding must not make a probability of over 1
            np.clip(total, own[computed].min(), own[computed].max(), out=total)
        return np.where(known, total.astype(self.dtype), nearest)

    def _is_computed(self, cells: Array) -> Array:
        fill = self._array.spec.fill
        return np.asarray(((cells != fill) & (cells == cells)).any(axis=0))

    def _cells(self, box: Box) -> Array:
        """Cells of the layer, (channel, *box.shape)."""
        if self._whole is None:
            return self._image.read(box)
        whole = self._whole if self._array.spec.names[0] == "c" else self._whole[None]
        return whole[(slice(None), *box.slices)]

    def _axis(self, axis: int, start: int, stop: int) -> _Axis:
        layer = self._image.frames[0]
        n = layer.shape[axis]
        centres = self.frame.centres(axis)[start:stop]
        position = np.round((centres - layer.origin[axis]) / layer.spacing[axis] - 0.5, 6)
        nearest = np.floor(position + 0.5).astype(np.int64)
        clipped = np.clip(position, 0, n - 1)
        low = np.floor(clipped).astype(np.int64)
        high = np.minimum(low + 1, n - 1)
        inside = (nearest >= 0) & (nearest < n)
        return _Axis(np.clip(nearest, 0, n - 1), low, high, clipped - low, inside)


def is_same_grid(one: Frame, other: Frame) -> bool:
    """Whether two frames have the same cells, but for the rounding of positions in metadata: none is off by 1 % of a cell."""
    if (one.axes, one.shape) != (other.axes, other.shape):
        return False
    return all(
        abs(a - b) <= TOLERANCE * s and abs((a + n * s) - (b + n * t)) <= TOLERANCE * s
        for a, b, s, t, n in zip(one.origin, other.origin, one.spacing, other.spacing, one.shape, strict=True)
    )


def runs(shape: tuple[int, ...], cells: int) -> Iterator[Box]:
    """Boxes of at most `cells` cells that cover an array in C order: whole planes if they fit, else parts of a plane.

    >>> [box.start for box in runs((2, 3, 4), 8)]
    [(0, 0, 0), (0, 2, 0), (1, 0, 0), (1, 2, 0)]
    """
    cut, room = [], cells
    for n in reversed(shape):
        length = max(1, min(n, room))
        cut.append(length)
        room = room // n if length == n else 0
    return Box((0,) * len(shape), shape).cut(tuple(reversed(cut)))


def _between(values: Array, n: int, axis: _Axis, first: int) -> Array:
    weight = axis.weight.astype(values.dtype).reshape([-1 if i == n else 1 for i in range(values.ndim)])
    low, high = np.take(values, axis.low - first, n), np.take(values, axis.high - first, n)
    return np.asarray(low + (high - low) * weight)
