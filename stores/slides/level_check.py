"""Level check: a level is a smaller copy of the finest one. Formats that only list images of several sizes cannot say so.

```text
extents   cells x spacing of a level agree with the finest level's within one cell
windows   the mean colours of nine windows agree with those of the next finer level, for three quarters of the windows
```
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...errors import TileError
from ..frame import Array, Box, Frame
from ..tile_reader import Tiled, TileReader
from .pixels import Pixels, SlideDescription

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Relative places of the windows along each axis."""
WINDOW_CELLS = 16
"""Cells along a window of the coarser level, at most."""
FINE_CELLS = 256
"""Cells along a window of the finer level, at most."""
MAX_DIFFERENCE = 0.08
"""Largest difference of the mean colours of two windows that show the same, in parts of the brightest mean."""
MAX_PART = 0.25
"""Part of the windows that may differ: a window on a sharp edge does if a level is shifted by part of a cell."""


Read = Callable[[Box, int], Array]
"""(box, level) -> its pixels (channel, y, x); raises TileError where they cannot be decoded."""
LevelCheck = Callable[[Pixels], tuple[tuple[int, ...], tuple[str, ...]]]
"""(pixels) -> (numbers of the levels that are copies of the finest one, a note for each other level)."""


def true_levels(pixels: Pixels, read: Read | None = None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The check itself, as a `LevelCheck`; windows are read with `read`, by default the pixels' own."""
    described = pixels.described
    kept, notes = [0], []
    for level in range(1, len(described.shapes)):
        why = _wrong_extent(described.frames, level) or (
            "" if _alike(pixels, kept[-1], level, read or pixels.read) else "does not show what the finest level shows"
        )
        if why:
            height, width = described.shapes[level]
            notes.append(f"a level of {width} x {height} pixels {why}: it is not read")
        else:
            kept.append(level)
    return tuple(kept), tuple(notes)


def recorded_levels(reader: str, levels: Sequence[int], shape: Sequence[int] = ()) -> LevelCheck:
    """The result of an earlier check as a check that reads nothing; `shape` was that of the finest level, if it is known.

    The check is made anew where nothing was recorded, or where another reader opens the file now, or its finest level has
    another shape: it may list other levels.
    """

    def check(pixels: Pixels) -> tuple[tuple[int, ...], tuple[str, ...]]:
        described = pixels.described
        is_other = described.reader != reader or (shape and tuple(shape) != described.shapes[0])
        if not levels or is_other or max(levels) >= len(described.shapes):
            return true_levels(pixels)
        return tuple(levels), ()

    return check


class SomeLevels:
    """Pixels with some of their levels, and more notes."""

    def __init__(self, pixels: Pixels, levels: tuple[int, ...], notes: tuple[str, ...] = ()) -> None:
        self._pixels, self._levels = pixels, levels
        whole = pixels.described
        self.described: SlideDescription = replace(
            whole,
            shapes=tuple(whole.shapes[i] for i in levels),
            factors=tuple(whole.factors[i] for i in levels),
            tiles=tuple(whole.tiles[i] for i in levels) if whole.tiles else (),
            cut=tuple(whole.cut[i] for i in levels) if whole.cut else (),
            frames=tuple(whole.frames[i] for i in levels) if whole.frames else (),
            notes=(*whole.notes, *notes),
        )

    def read(self, box: Box, level: int) -> Array:
        return self._pixels.read(box, self._levels[level])

    def tile_reader(self, level: int = 0) -> TileReader | None:
        return self._pixels.tile_reader(self._levels[level]) if isinstance(self._pixels, Tiled) else None

    def absent(self, box: Box, level: int) -> list[Box]:
        return self._pixels.absent(box, self._levels[level])

    def close(self) -> None:
        self._pixels.close()


def _wrong_extent(frames: tuple[Frame, ...], level: int) -> str:
    """Why a level covers another area than the finest one by its stated scale; empty where it agrees, or none is stated."""
    if not frames:
        return ""
    for n, m, fine, coarse in zip(
        frames[0].shape, frames[level].shape, frames[0].spacing, frames[level].spacing, strict=True
    ):
        if abs(m * coarse - n * fine) > 1.01 * max(coarse, fine):
            return f"is {m * coarse:.6g} um long by its stated scale, and the finest level {n * fine:.6g} um"
    return ""


def _alike(pixels: Pixels, fine: int, coarse: int, read: Read) -> bool:
    """Whether a level shows what a finer one shows. Windows that cannot be read, or are absent, do not count."""
    shapes, factors = pixels.described.shapes, pixels.described.factors
    by = [c / f for f, c in zip(factors[fine], factors[coarse], strict=True)]
    side = max(1, min(WINDOW_CELLS, int(FINE_CELLS / max(by))))
    means = []
    for place in itertools.product(PLACES, PLACES):
        start = [max(0, min(int(p * n) - side // 2, n - side)) for p, n in zip(place, shapes[coarse], strict=True)]
        stop = [min(a + side, n) for a, n in zip(start, shapes[coarse], strict=True)]
        ends = zip(start, stop, by, shapes[fine], strict=True)
        inner = [(min(int(a * k), n - 1), min(max(int(b * k), int(a * k) + 1), n)) for a, b, k, n in ends]
        pair = (
            _mean(pixels, read, Box(tuple(start), tuple(stop)), coarse),
            _mean(pixels, read, Box(tuple(a for a, _ in inner), tuple(b for _, b in inner)), fine),
        )
        if pair[0] is not None and pair[1] is not None:
            means.append(pair)
    if not means:
        return True
    values = np.array(means)  # window, level, channel
    differs = np.abs(values[:, 0] - values[:, 1]).max(1) > MAX_DIFFERENCE * max(float(values.max()), 1.0)
    return int(differs.sum()) <= MAX_PART * len(differs)


def _mean(pixels: Pixels, read: Read, box: Box, level: int) -> Array | None:
    """Mean of each channel; None where the pixels are lost."""
    if pixels.absent(box, level):
        return None
    try:
        return np.asarray(read(box, level).mean((1, 2)))
    except TileError:
        return None
