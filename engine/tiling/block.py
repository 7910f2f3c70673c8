"""Block: the pixels around a unit's tiles, read ahead in bands while the network computes the first tiles.

```text
|=====|=====|-----|     |     bands along the first axis, aligned to the tiles of the source
   ^ tiles are cut     ^ position of the reader
```
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType

import numpy as np

from ...stores.frame import Array, Box
from ...stores.slides.view import read_masked
from ...stores.source import Source
from ...stores.tile_reader import Tiled, TileReader
from ..compute.resources import resources
from .tile import Tiles

BAND_CELLS = 512
"""Approximate cells along a band: whole rows of the source's own tiles, so that nothing is decoded twice."""
DEFAULT_CHUNK_CELLS = 256
"""Cells along a chunk of a source without stated tiles; our stores use this size."""


class Block:
    """Pixels of a box; pixels beyond the frame are background. They are read from the beginning on, and used in a `with`
    statement, whose end ends the reading."""

    def __init__(
        self,
        source: Source,
        box: Box,
        level: int,
        clock: Callable[[], AbstractContextManager[None]],
        readers: int = 1,
    ) -> None:
        """`clock` is entered around every read; `readers` bands are read at a time."""
        self._source, self._level, self._clock = source, level, clock
        self.corner = box.start
        inner_box = box & source.frames[level].box
        shape = (source.channels, *box.shape)
        covers_box = inner_box == box
        self._memory = resources().memory.array(shape, source.dtype)
        self._values = self._memory.__enter__()
        if not covers_box:
            self._values[...] = source.background
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="read-ahead")
        row = source.tiles[level][0] if source.tiles else DEFAULT_CHUNK_CELLS
        rows = max(1, BAND_CELLS // row) if len(box.shape) == 2 else 1  # a plane of a volume has many cells
        band_shape = (row * rows, *(max(1, n) for n in inner_box.stop[1:]))
        self._bands = [
            (band.start[0], self._pool.submit(self._read, band)) for band in inner_box.cut(band_shape) if band.size
        ]
        self._holes: list[Box] = []

    def sound(self, tiles: Tiles) -> Array:
        """Whether all pixels of each tile could be decoded, bool (tile,); waits until they are read."""
        end = tiles.stops[:, 0].max(initial=self.corner[0])
        while self._bands and self._bands[0][0] < end:
            self._holes += self._bands.pop(0)[1].result()
        unreadable = np.zeros(len(tiles), bool)
        for hole in self._holes:
            unreadable |= ((tiles.starts < hole.stop) & (tiles.stops > hole.start)).all(1)
        return ~unreadable

    def cut(self, tiles: Tiles, out: Array) -> None:
        """Copy the pixels of tiles, after `sound` of them, into `out` (tile, channel, *shape)."""
        for pixels, start in zip(out, (tiles.starts - np.array(self.corner)).tolist(), strict=True):
            inside = (slice(a, a + n) for a, n in zip(start, tiles.shape, strict=True))
            pixels[...] = self._values[(slice(None), *inside)]

    def _read(self, band: Box) -> list[Box]:
        with self._clock():
            reader = self._source.tile_reader(self._level) if isinstance(self._source, Tiled) else None
            if reader is not None:
                return self._read_tiles(reader, band)
            pixels, holes = read_masked(self._source, band, self._level)
            self._at(band)[...] = pixels
        return holes

    def _read_tiles(self, reader: TileReader, band: Box) -> list[Box]:
        """Copy each tile to its place as it is decoded."""
        holes, frame = [], self._source.frames[self._level].box
        for group in band.cut(reader.group):
            pieces = list(group.cut(reader.tile))
            tiles = [piece.coarsen(reader.tile).refine(reader.tile) & frame for piece in pieces]
            for piece, tile, pixels in zip(pieces, tiles, reader.decode(tiles), strict=True):
                if pixels is None:
                    self._at(piece)[...] = self._source.background
                    holes.append(piece)
                else:
                    self._at(piece)[...] = pixels[(slice(None), *piece.shift([-a for a in tile.start]).slices)]
        return holes

    def _at(self, box: Box) -> Array:
        inside: Array = self._values[(slice(None), *box.shift([-a for a in self.corner]).slices)]
        return inside

    def __enter__(self) -> Block:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._memory.__exit__(kind, error, trace)
