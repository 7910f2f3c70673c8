"""Mask: the share of any box that a mask covers, such as tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...stores.frame import Array, Box, Frame


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """How the cells of a mask lie over an image."""

    ratio: Array
    """Image cells per mask cell, by axis."""
    cells: tuple[int, ...]
    """Shape of the mask."""
    image: Array
    """Shape of the image."""

    def at(self, start: Array, shape: Sequence[int], side: int = 1) -> tuple[list[Array], Array]:
        """(mask cells by axis under the middles of a box's cells of `side` image cells, whether a middle is outside)."""
        picks, outside = self.at_many(np.asarray(start)[None], shape, side)
        return [pick.ravel() for pick in picks], outside[0]

    def at_many(self, starts: Array, shape: Sequence[int], side: int = 1) -> tuple[list[Array], Array]:
        """The same of boxes of one shape with these starts (boxes, axes); an axis's cells lie along it: (boxes, 1, n, 1)."""
        picks, outside = [], np.zeros([len(starts), *(n // side for n in shape)], bool)
        for axis, (first, count, ratio) in enumerate(zip(starts.T, outside.shape[1:], self.ratio, strict=True)):
            middle = first[:, None] + (np.arange(count) + 0.5) * side
            middle = middle.reshape(len(starts), *(1,) * axis, count, *(1,) * (len(shape) - axis - 1))
            picks.append(np.clip((middle / ratio).astype(np.int64), 0, self.cells[axis] - 1))
            outside |= (middle < 0) | (middle >= self.image[axis])
        return picks, outside


class Mask:
    """A boolean field over a frame; a summed-area table gives the exact share of any box that it covers."""

    def __init__(self, values: Array, ratio: Sequence[float], shape: Sequence[int]) -> None:
        """`ratio`: image cells per mask cell along each axis; `shape`: shape of the image."""
        self.values = values.astype(bool)
        self.ratio = np.asarray(ratio, float)
        self._shape = np.asarray(shape, float)
        self.lattice = Lattice(self.ratio, self.values.shape, self._shape)
        table: Array = np.pad(self.values.astype(np.float64), [(1, 0)] * values.ndim)
        for axis in range(values.ndim):
            table = np.cumsum(table, axis)
        self._table = table

    @classmethod
    def over(cls, values: Array, frame: Frame, image: Frame) -> Mask:
        """The mask `values` on `frame` for boxes of `image`; both frames have the same origin."""
        return cls(values, [a / b for a, b in zip(frame.spacing, image.spacing, strict=True)], image.shape)

    def share(self, boxes: Sequence[Box]) -> Array:
        """Share of each box's part inside the image that the mask covers, float64 in [0, 1]; 0 for boxes outside."""
        if not boxes:
            return np.zeros(0)
        limits = np.array([(b.start, b.stop) for b in boxes], float)
        return self.share_of(limits[:, 0], limits[:, 1])

    def share_of(self, starts: Array, stops: Array) -> Array:
        """`share` for arrays of starts and stops, each (boxes, axes)."""
        from scipy.ndimage import map_coordinates

        low = np.clip(starts, 0, self._shape)
        high = np.clip(stops, 0, self._shape)
        size = np.prod(high - low, axis=1)
        limits = np.stack([low, high]) / self.ratio
        covered = np.zeros(len(low))
        for corner in np.ndindex(*(2,) * low.shape[1]):
            at = np.stack([limits[c, :, axis] for axis, c in enumerate(corner)])
            sign = (-1) ** (low.shape[1] - sum(corner))
            covered += sign * map_coordinates(self._table, at, order=1, mode="nearest")
        return np.where(size > 0, covered * np.prod(self.ratio) / np.maximum(size, 1), 0.0).clip(0, 1)

    def whole(self, starts: Array, stops: Array) -> Array:
        """Whether each box, (boxes, axes) both, lies inside the image and is covered wholly, bool."""
        inside = (starts >= 0).all(1) & (stops <= self._shape).all(1)
        return np.asarray(inside & (self.share_of(starts.astype(float), stops.astype(float)) > 1 - 1e-6))

    def cells(self, start: Array, shape: Sequence[int], side: int = 1) -> Array:
        """Whether the mask covers the middle of each cell of a box, bool: cells of `side` image cells, False outside the image.

        `shape` is that of the box, a multiple of `side` along each axis.
        """
        covered: Array = self.cells_of_many(np.asarray(start)[None], shape, side)[0]
        return covered

    def cells_of_many(self, starts: Array, shape: Sequence[int], side: int = 1) -> Array:
        """`cells` of boxes of one shape with these starts (boxes, axes): (boxes, *cells)."""
        picks, outside = self.lattice.at_many(starts, shape, side)
        return np.asarray(self.values[tuple(picks)] & ~outside)
