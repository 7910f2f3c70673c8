"""Patches read from an image: tile by tile where it has tiles (`by_tile`), else by block, each of which is read once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from ....stores.frame import Array, Box
from ....stores.slides.view import read_masked
from ....stores.source import Source
from ....stores.tile_reader import Tiled
from ...compute.machine import available_threads
from ...pipeline.modality import SLIDE_CHUNK, VOLUME_CHUNK
from .by_tile import read_by_tile

BLOCK = 2048
"""Side, in pixels, of a block whose patches are read together: one shard, so that few pixels are read twice."""
CUBES = 256
"""Side, in voxels, of such a block in a volume."""


def read_patches(
    source: Source, places: Array, side: int, *, cell: int = 0, block: int = 0, out: Array | None = None
) -> Array:
    """Read square or cubic patches at `places` (n, axes: first cell): (n, channel, side, side) or (n, channel, z, y, x).

    They are put into `out` where it is given, which is returned.
    A slide with tiles of its own is read tile by tile, each decoded once (see by_tile.py). Of others, and where `cell` or
    `block` is given, the patches of one block are cut from one canvas, into which only the chunks that some patch overlaps
    are read. Blocks are read concurrently, one per available thread. Pixels outside the frame have the background value.
    """
    axes = places.shape[1]
    if out is None:
        out = np.empty((len(places), source.channels, *(side,) * axes), source.dtype)
    reader = source.tile_reader() if axes == 2 and isinstance(source, Tiled) and not (cell or block) else None
    if reader is not None:
        read_by_tile(source, reader, places, out)
    else:
        cell, block = cell or (SLIDE_CHUNK if axes == 2 else VOLUME_CHUNK), block or block_of((side,) * axes)
        _read_by_block(source, places, out, cell=cell, block=block)
    return out


def _read_by_block(source: Source, places: Array, out: Array, *, cell: int, block: int) -> None:
    axes, side = places.shape[1], out.shape[-1]
    keys = places // block
    order = np.lexsort((*keys.T[::-1],))

    def read(rows: Array) -> None:
        low = places[rows].min(0) // cell * cell
        high = -(-(places[rows].max(0) + side) // cell) * cell
        chunk_mask = np.zeros(((high - low) // cell).tolist(), bool)
        for place in places[rows] - low:
            chunk_mask[tuple(slice(a // cell, -(-(a + side) // cell)) for a in place.tolist())] = True
        canvas = np.full((source.channels, *(high - low)), source.background, source.dtype)
        for at in np.ndindex(*chunk_mask.shape[:-1]):
            for x, end in _runs(chunk_mask[at]):
                box = Box((*at, x), (*(a + 1 for a in at), end)).refine((cell,) * axes)
                box = box.shift(low.tolist()) & source.frames[0].box
                if box.size:
                    pixels, _ = read_masked(source, box)
                    canvas[(slice(None), *box.shift((-low).tolist()).slices)] = pixels
        for r in rows:
            out[r] = canvas[(slice(None), *(slice(a, a + side) for a in (places[r] - low).tolist()))]

    blocks = [np.fromiter(members, int) for _, members in groupby(order, lambda r: tuple(keys[r]))]
    with ThreadPoolExecutor(min(available_threads(), max(1, len(blocks)))) as pool:
        for _ in pool.map(read, blocks):
            pass


def _runs(row: Array) -> Iterator[tuple[int, int]]:
    """Half-open intervals of consecutive True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def block_of(patch: tuple[int, ...]) -> int:
    """Side, in cells, of a block whose patches are read together."""
    return BLOCK if len(patch) == 2 else CUBES
