"""Tile and samplers: which blocks of an image to look at, and which cells each look fills.

```text
     read    |hhh|wwwwwwww|hhh|      h halo, w write: read = write grown by the halo
```
A read always has the full shape, so that batches fit; it may hang over the frame, and so may the last write's cells: the
engine pads what it reads and crops what it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..stores.frame import Array, Box, Frame

Sampler = Callable[[Box], "Iterable[Tile]"]
"""Tiles whose writes lie in a box: what a plan asks for, unit by unit. Best as `Tiles`; a generator of `Tile` serves too."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What one item of a batch reads, and the cells of the source's frame that its result stands for."""

    read: Box
    write: Box
    level: int = 0

    def __post_init__(self) -> None:
        if not self.read.contains(self.write):
            raise ValueError(f"a tile writes inside what it reads: reads {self.read}, writes {self.write}")


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Tiles of one shape, in order, as arrays: a unit has thousands, and an object each would cost 30 times as much.

    >>> [t.write.start for t in grid(Box((0,), (10,)), (4,))[1:]]
    [(4,), (8,)]
    """

    starts: Array
    """First cell that each tile reads: (tile, axis), int64."""
    shape: tuple[int, ...]
    """Cells that every tile reads along each axis."""
    writes: Array
    """Start and stop of what each tile writes: (tile, 2, axis), int64."""
    level: int = 0

    @property
    def stops(self) -> Array:
        return self.starts + np.array(self.shape, np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: Any) -> Tiles:
        """Some of them: by a slice, indices, or a yes or no for each."""
        return replace(self, starts=self.starts[index], writes=self.writes[index])

    def __iter__(self) -> Iterator[Tile]:
        for start, stop, write in zip(self.starts.tolist(), self.stops.tolist(), self.writes.tolist(), strict=True):
            yield Tile(Box(tuple(start), tuple(stop)), Box(*map(tuple, write)), self.level)

    def join(self, other: Tiles) -> Tiles:
        """These, then the others, which read the same shape."""
        if not len(self):
            return other
        starts, writes = (np.concatenate(pair) for pair in ((self.starts, other.starts), (self.writes, other.writes)))
        return replace(self, starts=starts, writes=writes)

    @classmethod
    def of(cls, tiles: Iterable[Tile]) -> Tiles:
        """The same tiles as arrays. Raises ValueError where they read different shapes: a batch could not hold them."""
        if isinstance(tiles, cls):
            return tiles
        listed = list(tiles)
        shapes = {(t.read.shape, t.level) for t in listed} or {((), 0)}
        if len(shapes) > 1:
            raise ValueError(f"tiles of a unit read one shape at one level, got {sorted(shapes)}")
        ((shape, level),) = shapes
        starts = np.array([t.read.start for t in listed], np.int64).reshape(len(listed), len(shape))
        writes = np.array([(t.write.start, t.write.stop) for t in listed], np.int64).reshape(len(listed), 2, len(shape))
        return cls(starts, shape, writes, level)


def grid(box: Box, shape: Sequence[int], halo: Sequence[int] = (), level: int = 0) -> Tiles:
    """Tiles on multiples of `shape`, whose writes partition `box`, in C order.

    >>> [t.write.start for t in grid(Box((0,), (10,)), (4,))]
    [(0,), (4,), (8,)]
    """
    halo = tuple(halo) or (0,) * len(shape)
    places = [np.arange(a // s, -(-b // s)) * s for a, b, s in zip(box.start, box.stop, shape, strict=True)]
    corners = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, len(shape))
    writes = np.stack([np.maximum(corners, box.start), np.minimum(corners + np.array(shape), box.stop)], axis=1)
    return Tiles(corners - np.array(halo), tuple(s + 2 * h for s, h in zip(shape, halo, strict=True)), writes, level)


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


def within(tiles: Iterable[Tile], mask: Mask, share: float = 0.5) -> Tiles:
    """Only the tiles of which at least `share` of what they read (inside the image) lies in the mask."""
    tiles = Tiles.of(tiles)
    if not len(tiles):
        return tiles
    return tiles[mask.share_of(tiles.starts.astype(float), tiles.stops.astype(float)) >= share - 1e-9]


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
