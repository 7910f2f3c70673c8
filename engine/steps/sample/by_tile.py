"""Patches read tile by tile: each tile that a slide stores is decoded once, and its parts are copied straight into the patches.

```text
tiles       |--------|--------|      a patch takes a part from each tile that it overlaps
patches          |.....|  |.....|    a tile gives a part to each such patch, while it is in the cache
```
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ....stores.frame import Array, Box
from ....stores.source import Source
from ....stores.tile_reader import TileReader
from ...compute.machine import available_threads


def read_by_tile(source: Source, reader: TileReader, places: Array, out: Array) -> None:
    """Fill `out` (n, channel, side, side) with the square patches at `places` (n, 2: first pixel).

    Groups of tiles are read in the order of the file, one per available thread. Pixels outside the frame, and of tiles that
    cannot be decoded, have the background value.
    """
    shape, side = np.array(source.frames[0].shape), out.shape[-1]
    out[((places < 0) | (places + side > shape)).any(1)] = source.background

    def read(group: _Group) -> None:
        for copies, pixels in zip(group.copies, reader.decode(group.tiles), strict=True):
            if pixels is None:
                pixels = np.broadcast_to(np.array(source.background, out.dtype), (source.channels, *reader.tile))
            for patch, into_y, into_x, height, width, y, x in copies:
                out[patch, :, into_y : into_y + height, into_x : into_x + width] = pixels[
                    :, y : y + height, x : x + width
                ]

    with ThreadPoolExecutor(available_threads()) as pool:
        for _ in pool.map(read, _parts(places, side, reader, shape)):
            pass


@dataclass(frozen=True, slots=True)
class _Group:
    """Tiles that lie together, in the order of the file."""

    tiles: list[Box]
    copies: list[list[tuple[int, ...]]]
    """Of each tile what is copied: number of the patch, first pixel (y, x) in it, height, width, first pixel in the tile."""


def _parts(places: Array, side: int, reader: TileReader, shape: Array) -> Iterator[_Group]:
    """What the patches take from the tiles that they overlap, by groups of tiles."""
    patch, tile = _overlaps(places, side, np.array(reader.tile), shape)
    group = tile // np.array(reader.group)
    order = np.lexsort((*tile.T[::-1], *group.T[::-1]))
    patch, tile, group = patch[order], tile[order], group[order]
    start, stop = places[patch], np.minimum(tile + np.array(reader.tile), shape)
    low, high = np.maximum(start, tile), np.minimum(start + side, stop)
    columns = np.column_stack([patch, low - start, high - low, low - tile]).T.tolist()
    of_group = _changes(group)
    for first, last in pairwise(of_group):
        of_tile = _changes(tile[first:last]) + first
        corners = zip(tile[of_tile[:-1]].tolist(), stop[of_tile[:-1]].tolist(), strict=True)
        yield _Group(
            [Box(tuple(a), tuple(b)) for a, b in corners],
            [list(zip(*(column[a:b] for column in columns), strict=True)) for a, b in pairwise(of_tile.tolist())],
        )


def _overlaps(places: Array, side: int, size: Array, shape: Array) -> tuple[Array, Array]:
    """(number of the patch (m,), first pixel of the tile (m, 2)) of all patches and tiles that overlap inside the frame."""
    low, high = np.maximum(places, 0), np.minimum(places + side, shape)
    first = low // size
    count = np.where(low < high, -(-high // size) - first, 0)
    patch, tile = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.int64)]
    for step in np.ndindex(*count.max(0, initial=0).tolist()):
        rows = np.flatnonzero((count > step).all(1))
        patch.append(rows)
        tile.append((first[rows] + step) * size)
    return np.concatenate(patch), np.concatenate(tile)


def _changes(rows: Array) -> Array:
    """Where another row begins in (m, 2), and m: the bounds of runs of equal rows."""
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(1)) + 1
    return np.concatenate([np.zeros(min(1, len(rows)), np.int64), changes, [len(rows)]])
