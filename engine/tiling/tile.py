"""Tile: a block of an image that is read, and the cells that its result fills.

```text
     read    |hhh|wwwwwwww|hhh|      h halo, w write: read = write grown by the halo
```
A read always has the full shape, so that batches fit; it may extend beyond the frame, and so may the last cells that are
written: the engine pads reads and crops writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...stores.frame import Array, Box

Sampler = Callable[[Box], "Iterable[Tile]"]
"""Box of a unit -> tiles that write in it: `Tiles`, or an iterable of `Tile`."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One item of a batch: the box that it reads, and the box of the source's frame that its result fills."""

    read: Box
    write: Box
    level: int = 0

    def __post_init__(self) -> None:
        if not self.read.contains(self.write):
            raise ValueError(f"a tile writes inside what it reads: reads {self.read}, writes {self.write}")


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Tiles of one shape, in order, as arrays: a unit has thousands, and an object each would cost 30 times as much.

    >>> from tile_engine.engine.tiling.samplers import grid
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
        """Tiles by a slice, indices, or a boolean mask."""
        return replace(self, starts=self.starts[index], writes=self.writes[index])

    def __iter__(self) -> Iterator[Tile]:
        for start, stop, write in zip(self.starts.tolist(), self.stops.tolist(), self.writes.tolist(), strict=True):
            yield Tile(Box(tuple(start), tuple(stop)), Box(*map(tuple, write)), self.level)

    def join(self, other: Tiles) -> Tiles:
        """These tiles, followed by `other` of the same shape."""
        if not len(self):
            return other
        starts, writes = (np.concatenate(pair) for pair in ((self.starts, other.starts), (self.writes, other.writes)))
        return replace(self, starts=starts, writes=writes)

    @classmethod
    def of(cls, tiles: Iterable[Tile]) -> Tiles:
        """The same tiles as arrays. Raises ValueError for different shapes, which one batch cannot hold."""
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
