"""Samplers: tiles on a grid, within a mask, or scattered at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...stores.frame import Array, Box, Frame
from .mask import Mask
from .tile import Tile, Tiles


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


def within(tiles: Iterable[Tile], mask: Mask, share: float = 0.5) -> Tiles:
    """The tiles whose read box, inside the image, is covered by the mask to at least `share`."""
    tiles = Tiles.of(tiles)
    if not len(tiles):
        return tiles
    return tiles[mask.share_of(tiles.starts.astype(float), tiles.stops.astype(float)) >= share - 1e-9]


def scatter(mask: Mask, image: Frame, shape: Sequence[int], *, count: int, generator: np.random.Generator) -> Array:
    """Random positions of up to `count` tiles of `shape` that the mask covers to at least half.

    Returns starts, int64 (n, axes), inside the image if it is large enough; n is below `count`, even 0, if ten rounds of
    drawing find no more.
    """
    cells = np.argwhere(mask.values)
    parts: list[Array] = []
    lack = count
    for _ in range(10):
        if lack <= 0 or not len(cells):
            break
        pick = cells[generator.integers(0, len(cells), 2 * lack)]
        centre = (pick + generator.random(pick.shape)) * mask.ratio
        start = np.floor(centre - np.asarray(shape) / 2).astype(np.int64)
        start = np.clip(start, 0, np.maximum(0, np.asarray(image.shape) - np.asarray(shape)))
        covered_starts = start[mask.share_of(start.astype(float), start + np.asarray(shape, float)) >= 0.5]
        parts.append(covered_starts[:lack])
        lack -= len(parts[-1])
    return np.concatenate(parts) if parts else np.zeros((0, len(tuple(shape))), np.int64)
