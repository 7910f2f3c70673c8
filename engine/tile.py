"""Tile and samplers: which blocks of an image to look at, and which cells each look fills.

```text
     read    |hhh|wwwwwwww|hhh|      h halo, w write: read = write grown by the halo
```
A read always has the full shape, so that batches fit; it may hang over the frame, and so may the last write's cells: the
engine pads what it reads and crops what it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.ndimage import map_coordinates

from ..stores.frame import Array, Box, Frame

Sampler = Callable[[Box], Iterator["Tile"]]
"""Tiles whose writes lie in a box: what a plan asks for, unit by unit."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What one item of a batch reads, and the cells of the source's frame that its result stands for."""

    read: Box
    write: Box
    level: int = 0

    def __post_init__(self) -> None:
        if not self.read.contains(self.write):
            raise ValueError(f"a tile writes inside what it reads: reads {self.read}, writes {self.write}")


def grid(box: Box, shape: Sequence[int], halo: Sequence[int] = (), level: int = 0) -> Iterator[Tile]:
    """Tiles on multiples of `shape`, whose writes partition `box`, in C order.

    >>> [t.write.start for t in grid(Box((0,), (10,)), (4,))]
    [(0,), (4,), (8,)]
    """
    halo = tuple(halo) or (0,) * len(shape)
    for write in box.cut(shape):
        low = tuple([a // s * s - h for a, s, h in zip(write.start, shape, halo, strict=True)])
        yield Tile(Box(low, tuple([a + s + 2 * h for a, s, h in zip(low, shape, halo, strict=True)])), write, level)


class Mask:
    """A yes-or-no field over a frame that answers how much of any box it covers, exactly, from one table of sums."""

    def __init__(self, values: Array, ratio: Sequence[float], shape: Sequence[int]) -> None:
        """`ratio`: image cells along one mask cell; `shape`: the image's own, beyond which there is nothing."""
        self.values = values.astype(bool)
        self.ratio = np.asarray(ratio, float)
        self._shape = np.asarray(shape, float)
        table: Array = np.pad(self.values.astype(np.float64), [(1, 0)] * values.ndim)
        for axis in range(values.ndim):
            table = np.cumsum(table, axis)
        self._table = table

    @classmethod
    def over(cls, values: Array, frame: Frame, image: Frame) -> Mask:
        """The mask `values` on `frame`, asked for boxes of `image`; both have the same origin."""
        return cls(values, [a / b for a, b in zip(frame.spacing, image.spacing, strict=True)], image.shape)

    def share(self, boxes: Sequence[Box]) -> Array:
        """Share of each box's part inside the image that the mask covers, float64 in [0, 1]; 0 for boxes outside."""
        if not boxes:
            return np.zeros(0)
        limits = np.array([(b.start, b.stop) for b in boxes], float)
        return self.share_of(limits[:, 0], limits[:, 1])

    def share_of(self, starts: Array, stops: Array) -> Array:
        """The same for arrays of starts and stops, each (boxes, axes)."""
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


def within(tiles: Iterable[Tile], mask: Mask, share: float = 0.5) -> Iterator[Tile]:
    """Only the tiles of which at least `share` of what they read (inside the image) lies in the mask."""
    stream = iter(tiles)
    while batch := list(islice(stream, 4096)):
        kept = mask.share([t.read for t in batch]) >= share - 1e-9
        yield from (t for t, keep in zip(batch, kept, strict=True) if keep)


def scatter(mask: Mask, image: Frame, shape: Sequence[int], *, count: int, generator: np.random.Generator) -> Array:
    """Up to `count` random places of tiles of `shape` with at least half of their part inside the image in the mask.

    Returns starts (found, axes), int64, each inside the image where it is large enough; fewer than `count` (even none)
    where the mask gives no more after ten rounds of drawing.
    """
    cells = np.argwhere(mask.values)
    found: list[Array] = []
    lack = count
    for _ in range(10):
        if lack <= 0 or not len(cells):
            break
        pick = cells[generator.integers(0, len(cells), 2 * lack)]
        centre = (pick + generator.random(pick.shape)) * mask.ratio
        start = np.floor(centre - np.asarray(shape) / 2).astype(np.int64)
        start = np.clip(start, 0, np.maximum(0, np.asarray(image.shape) - np.asarray(shape)))
        good = start[mask.share_of(start.astype(float), start + np.asarray(shape, float)) >= 0.5]
        found.append(good[:lack])
        lack -= len(found[-1])
    return np.concatenate(found) if found else np.zeros((0, len(tuple(shape))), np.int64)
