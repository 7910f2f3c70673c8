"""Patches read from an image, grouped by block so that each block is read once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from ....stores.frame import Array, Box
from ....stores.slides.view import read_masked
from ....stores.source import Source
from ...compute.machine import available_threads
from ...pipeline.modality import SLIDE_CHUNK, VOLUME_CHUNK

BLOCK = 2048
"""Side, in pixels, of a block whose patches are read together: one shard, so that few pixels are read twice."""
CUBES = 256
"""Side, in voxels, of such a block in a volume."""


def read_patches(source: Source, places: Array, side: int, *, cell: int = 0, block: int = 0) -> Array:
    """Read square or cubic patches at `places` (n, axes: first cell): (n, channel, side, side) or (n, channel, z, y, x).

    The patches of one block are cut from one canvas, into which only the chunks that some patch overlaps are read.
    Blocks are read concurrently, one per available thread. Pixels outside the frame have the background value.
    """
    axes = places.shape[1]
    cell, block = cell or (SLIDE_CHUNK if axes == 2 else VOLUME_CHUNK), block or block_of((side,) * axes)
    out = np.empty((len(places), source.channels, *(side,) * axes), source.dtype)
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
    return out


def _runs(row: Array) -> Iterator[tuple[int, int]]:
    """Half-open intervals of consecutive True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def block_of(patch: tuple[int, ...]) -> int:
    """Side, in cells, of a block whose patches are read together."""
    return BLOCK if len(patch) == 2 else CUBES
