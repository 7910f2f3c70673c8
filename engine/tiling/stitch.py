"""Stitch: a unit of a network from images to images: tiles with their halo, put together cell by cell.

```text
image      |..............................|        beyond its borders the network pads as it does for the whole image
 tile 1    |wwwwwwww|hhh|                          a halo ends where the image ends: only real cells are read
 tile 2         |hhh|wwwwwwww|hhh|                 exact: a cell gets the value of the one tile that writes it
           |////////|\\\\\\\\|                      blended: where the halo is below the receptive field, tiles disagree, and a
                |////////|\\\\\\\\|                 cell gets the mean of all tiles that see it, weighted by sum(w y) / sum(w)
```
Tiles lie on one grid for the whole image, on the network's stride, so the result does not depend on units or workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...stores.frame import Array, Box
from ...stores.layer import Layer
from ...stores.slides.view import read_masked
from ...stores.source import Source
from ..compute.image_network import ImageNetwork
from ..pipeline.unit import Outcome
from .mask import Mask

ANY = 1e-9
"""Share of a tile that lies in the mask, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Stitch:
    """A network applied to one image, tile by tile."""

    source: Source
    network: ImageNetwork
    layer: Layer
    mask: Mask
    """Only tiles that reach into it are computed; cells of others are 0."""
    side: int
    """Cells of a tile's write along each axis; a multiple of the network's stride."""
    exact: bool
    """Whether the halo holds the receptive field, so that tiles agree; else they are blended."""

    def tiles(self, box: Box) -> Iterator[tuple[Box, Box]]:
        """(cells read, cells written) of the tiles that a box needs: those that write in it, or if blended, see it."""
        halo, frame = self.network.around, self.padded
        reach = 0 if self.exact else halo
        seen = box.grow((reach,) * len(box.shape)) & frame
        aligned = Box(tuple(a // self.side * self.side for a in seen.start), seen.stop)
        for cell in aligned.cut((self.side,) * len(box.shape)):
            write = Box(cell.start, tuple(a + self.side for a in cell.start)) & frame
            if self.exact:
                write &= self._on_step(box)  # shards lie on the stride, and nothing is computed twice
            read = write.grow((halo,) * len(box.shape)) & frame
            if write.size and self.mask.share([write if self.exact else read])[0] >= ANY:
                yield read, write

    @property
    def padded(self) -> Box:
        """The image's box, its ends rounded up to the stride."""
        return self._on_step(self.layer.frame.box)

    def _on_step(self, box: Box) -> Box:
        step = self.network.step
        return Box(tuple(a // step * step for a in box.start), tuple(-(-b // step) * step for b in box.stop))


def stitch(job: Stitch, unit: Box) -> Outcome:
    """Compute and write the cells of a unit, whole shards of the layer.

    `facts` holds `tiles`, `unreadable` (pieces that could not be decoded, and count as background), and if blended
    `disagreement`: mean and largest standard deviation between tiles, of cells that several of them see; None without such.
    """
    outcome = Outcome()
    tiles = list(job.tiles(unit))
    total = np.zeros((job.network.channels, *unit.shape), np.float64 if not job.exact else np.float32)
    weights, squares = (np.zeros(unit.shape if not job.exact else (0,)) for _ in range(2))
    covered = np.zeros(unit.shape if not job.exact else (0,), np.int32)
    if tiles:
        block = _hull([read for read, _ in tiles])
        with outcome.clock("read"):
            pixels, holes = cells_of(job.source, block)
        outcome.facts["unreadable"] = len(holes)
        for read, write in tiles:
            with outcome.clock("compute"):
                result = job.network.of(pixels[(slice(None), *read.shift(_minus(block.start)).slices)][None])[0]
                shown = (write if job.exact else read) & unit
                part = result[(slice(None), *shown.shift(_minus(read.start)).slices)]
                into = shown.shift(_minus(unit.start)).slices
                if job.exact:
                    total[(slice(None), *into)] = part
                    continue
                weight = _window(read, write)[shown.shift(_minus(read.start)).slices]
                total[(slice(None), *into)] += weight * part
                squares[into] += weight * np.square(part, dtype=np.float64).mean(0)
                weights[into] += weight
                covered[into] += 1
    if not job.exact:
        total /= np.maximum(weights, 1e-12)
        variance = squares / np.maximum(weights, 1e-12) - np.square(total).mean(0)
        spread = np.sqrt(np.maximum(variance, 0))[covered > 1]
        outcome.facts["disagreement"] = [float(spread.mean()), float(spread.max())] if spread.size else None
    with outcome.clock("write"):
        for box in unit.cut(job.layer.chunks):
            slices = box.shift(_minus(unit.start)).slices
            outcome.files += job.layer.write(box, total[(slice(None), *slices)].astype(np.float32))
    outcome.facts["tiles"] = len(tiles)
    return outcome


def cells_of(source: Source, box: Box) -> tuple[Array, list[Box]]:
    """Cells of a box, background beyond the frame: (C, *box.shape), and the boxes that could not be decoded."""
    inside = box & source.frames[0].box
    cells = np.full((source.channels, *box.shape), source.background, source.dtype)
    read, holes = read_masked(source, inside)
    cells[(slice(None), *inside.shift(_minus(box.start)).slices)] = read
    return cells, holes


def _window(read: Box, write: Box) -> Array:
    """Weights of a tile's cells: 1 in its middle, falling towards the ends of its halo."""
    window: Array = np.ones(())
    for a, b, low, high in zip(read.start, read.stop, write.start, write.stop, strict=True):
        at = np.arange(a, b) + 0.5
        halo = max(low - a, b - high, 1)
        rise = np.minimum((at - a) / (2 * halo), 1.0) if low > a else np.ones(len(at))
        fall = np.minimum((b - at) / (2 * halo), 1.0) if high < b else np.ones(len(at))
        window = np.multiply.outer(window, np.minimum(rise, fall))
    return window


def _hull(boxes: list[Box]) -> Box:
    starts, stops = np.array([box.start for box in boxes]), np.array([box.stop for box in boxes])
    return Box(tuple(starts.min(0).tolist()), tuple(stops.max(0).tolist()))


def _minus(start: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-a for a in start)
