"""cut_short: tiles that a file's own tables place behind the end of the file, told without reading a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import SlideError
from ..frame import Array


class Cut(NamedTuple):
    """What of a level lies behind the end of its file."""

    lost: int
    """Tiles."""
    tiles: int
    """All tiles of the level."""
    share: float
    """Part of the level's area that the lost tiles cover."""


def behind_end(offsets: Array, counts: Array, size: int) -> Array:
    """Whether each segment lies, in part, behind the end of a file of `size` bytes; one without bytes is absent, not lost.

    >>> behind_end(np.array([0, 8, 90]), np.array([0, 4, 40]), 100).tolist()
    [False, False, True]
    """
    starts, lengths = np.asarray(offsets, float), np.asarray(counts, float)
    return np.asarray((starts != 0) & (lengths != 0) & (starts + lengths > size))


def cut_of(lost: Array, tile: tuple[int, int], shape: tuple[int, int]) -> Cut:
    """`lost`: whether each tile of the grid (y, x) lies behind the end; tiles at the edges cover less.

    >>> cut_of(np.array([[False, True], [False, True]]), (256, 256), (512, 384))
    Cut(lost=2, tiles=4, share=0.3333333333333333)
    """
    lengths = [
        np.minimum(side, n - np.arange(count) * side) for side, n, count in zip(tile, shape, lost.shape, strict=True)
    ]
    area = float(lengths[0] @ lost @ lengths[1])
    return Cut(int(lost.sum()), lost.size, area / (shape[0] * shape[1]))


def cut_notes(cuts: Sequence[Cut]) -> tuple[str, ...]:
    """A note on all levels that lost tiles; none where no level did."""
    parts = [f"{cut.lost:,} of {cut.tiles:,} tiles of level {level}" for level, cut in enumerate(cuts) if cut.lost]
    return (f"the file is cut short: it ends before {' and '.join(parts)}. Copy it again",) if parts else ()


def check_cut(name: str, cuts: Sequence[Sequence[Any]], level: int, limit: float) -> None:
    """Raises SlideError (E_TRUNCATED) where more than `limit` of a level lies behind the end of the file.

    `cuts`: a `Cut` a level, or its values; none where the reader does not tell."""
    if cuts and (cut := Cut(*cuts[level])).share > limit:
        raise SlideError(
            f"{name}: the file is cut short: it ends before {cut.lost:,} of {cut.tiles:,} tiles, {cut.share:.1%} of the image, "
            f"and the limit is {limit:.1%}. Copy it again, or raise --max-bad-tiles.",
            "E_TRUNCATED",
        )
