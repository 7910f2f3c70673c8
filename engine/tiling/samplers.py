"""Samplers: tiles on a grid, within a mask, or scattered at random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...stores.frame import Array, Box, Frame
from .mask import Mask
from .tile import Tile, Tiles

ROUNDS = 10
"""Rounds of random positions that are drawn and looked up in the mask, at most."""


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


def scatter(
    mask: Mask, image: Frame, shape: Sequence[int], *, counts: Mapping[float, int], generator: np.random.Generator
) -> Array:
    """Random positions of tiles of `shape`, so many of each kind: `counts` is least share that the mask covers -> tiles.

    A tile is of the first kind that it fits, so the kinds come with falling shares. Where an image has too few tiles of a kind,
    those of other kinds fill up. Returns starts, int64 (n, axes), kind after kind, inside the image if it is large enough; n is
    below the sum of the counts, even 0, if ROUNDS of drawing find no more.
    """
    cells, total = np.argwhere(mask.values), sum(counts.values())
    found = [np.zeros((0, len(tuple(shape))), np.int64) for _ in counts]
    for _ in range(ROUNDS):
        lack = max(count - len(starts) for count, starts in zip(counts.values(), found, strict=True))
        if lack <= 0 or not len(cells):
            break
        pick = cells[generator.integers(0, len(cells), 2 * lack)]
        centre = (pick + generator.random(pick.shape)) * mask.ratio
        start = np.floor(centre - np.asarray(shape) / 2).astype(np.int64)
        start = np.clip(start, 0, np.maximum(0, np.asarray(image.shape) - np.asarray(shape)))
        covered = mask.share_of(start.astype(float), start + np.asarray(shape, float))
        most = np.inf
        for kind, least in enumerate(counts):
            fits = start[(covered >= least) & (covered < most)]
            found[kind] = np.concatenate([found[kind], fits])[:total]
            most = least
    taken = [min(count, len(starts)) for count, starts in zip(counts.values(), found, strict=True)]
    for kind, starts in enumerate(found):
        taken[kind] += min(len(starts) - taken[kind], total - sum(taken))
    return np.concatenate([starts[:count] for starts, count in zip(found, taken, strict=True)])
