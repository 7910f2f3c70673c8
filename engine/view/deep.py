"""Deep: a picture of any size as tiles of its reductions by powers of two, read from the levels that its source has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ...errors import SlideError
from ...stores.downsample import resize
from ...stores.frame import Array, Box, Frame
from ...stores.slides.view import read_masked
from ...stores.source import Source

TILE = 512
"""Pixels along a tile."""
MAX_READ = 1 << 28
"""Bytes of pixels that are read at a time, at most."""
WINDOW = (0.5, 99.7)
"""Percentiles of values that are drawn black and white, where pixels have more than 8 bits."""


@dataclass(frozen=True, slots=True)
class Deep:
    """Three channels, or one as grey, of a planar source."""

    source: Source
    first: int
    """The first channel that is shown."""
    window: tuple[tuple[float, float], ...]
    """Values of each shown channel that are drawn black and white; empty for 8-bit pixels."""

    @classmethod
    def of(cls, source: Source, first: int = 0) -> Deep:
        return cls(source, first, window_of(source, first))

    @property
    def frame(self) -> Frame:
        return self.source.frames[0]

    def shape(self, reduction: int) -> tuple[int, int]:
        """Pixels (y, x) of the picture at a reduction by 2**reduction."""
        height, width = (-(-n // 2**reduction) for n in self.frame.shape)
        return height, width

    @property
    def reductions(self) -> int:
        """How many reductions there are until the picture is one tile."""
        return (-(-max(self.frame.shape) // TILE) - 1).bit_length() + 1

    def tile(self, reduction: int, row: int, column: int) -> Array:
        """uint8 (y, x, 3) of a tile. Raises LookupError for one outside the picture, SlideError where it costs too much."""
        box = tile_box(self.shape(reduction), row, column)
        needed, level = self._needed(reduction, box)
        check_cost(self.source, needed)
        pixels, _ = read_masked(self.source, needed, level)
        height, width = box.shape
        return eight_bit(resize(pixels[self.first : self.first + 3], (height, width)), self.window)

    def has_tiles(self, reduction: int) -> bool:
        """Whether the tiles of a reduction can be read: not where the file has no level that is coarse enough."""
        return is_small(self.source, self._needed(reduction, tile_box(self.shape(reduction), 0, 0))[0])

    def level_of(self, spacing: float) -> int:
        """The coarsest level of the source that is coarser than a spacing (micrometres) by 5 % at most; else the finest."""
        finer = [i for i, frame in enumerate(self.source.frames) if frame.spacing[0] <= 1.05 * spacing]
        return finer[-1] if finer else 0

    def _needed(self, reduction: int, box: Box) -> tuple[Box, int]:
        """The pixels that a tile is made of, and their level."""
        level = self._level(reduction)
        frame = self.source.frames[level]
        scale = [n / m for n, m in zip(frame.shape, self.shape(reduction), strict=True)]
        start = tuple(int(a * s) for a, s in zip(box.start, scale, strict=True))
        stop = tuple(min(n, -int(-b * s // 1)) for b, s, n in zip(box.stop, scale, frame.shape, strict=True))
        return Box(start, tuple(max(a + 1, b) for a, b in zip(start, stop, strict=True))), level

    def _level(self, reduction: int) -> int:
        """The coarsest level of the source that is at least as fine."""
        height = self.shape(reduction)[0]
        return [i for i, f in enumerate(self.source.frames) if i == 0 or f.shape[0] >= 0.99 * height][-1]


def tile_box(shape: tuple[int, int], row: int, column: int) -> Box:
    """The cells of a tile of a picture of this shape. Raises LookupError for a tile outside."""
    start = row * TILE, column * TILE
    if not all(0 <= a < n for a, n in zip(start, shape, strict=True)):
        raise LookupError(f"tile {row}, {column} is outside of {shape}")
    return Box(start, tuple(min(a + TILE, n) for a, n in zip(start, shape, strict=True)))


def is_small(source: Source, box: Box) -> bool:
    """Whether a box of a source is read at once: all channels are."""
    return box.size * source.channels * np.dtype(source.dtype).itemsize <= MAX_READ


def check_cost(source: Source, box: Box) -> None:
    """Raises SlideError (E_NO_LEVEL) for a box that is too large to be read for a picture."""
    if not is_small(source, box):
        raise SlideError("the file has no coarse level: zoom in to see it.", "E_NO_LEVEL")


def window_of(source: Source, first: int = 0) -> tuple[tuple[float, float], ...]:
    """The window of each of up to three channels, from the coarsest level; of a large one, from some parts of it."""
    if source.dtype == "uint8":
        return ()
    last = len(source.frames) - 1
    whole = source.frames[last].box
    boxes = [whole] if is_small(source, whole) else _some(whole)
    parts = [read_masked(source, box, last)[0][first : first + 3] for box in boxes]
    pixels = np.concatenate([part.reshape(len(part), -1) for part in parts], 1).astype(np.float32)
    found = []
    for channel in pixels if len(pixels) >= 3 else pixels[:1]:
        values = channel[channel != 0]
        low, high = np.percentile(values, WINDOW) if values.size else (0.0, 1.0)
        low = min(float(low), 0.0) if values.size and values.min() >= 0 else float(low)
        found.append((low, max(float(high), low + 1e-6)))
    return tuple(found)


def _some(whole: Box) -> list[Box]:
    """Boxes on a regular grid, four along each axis."""
    side = TILE if len(whole.shape) == 2 else TILE // 8
    starts = [np.linspace(0, max(0, n - side), 4).astype(int).tolist() for n in whole.shape]
    boxes = (Box(start, tuple(a + side for a in start)) & whole for start in product(*starts))
    return list(dict.fromkeys(boxes))


def eight_bit(pixels: Array, window: tuple[tuple[float, float], ...]) -> Array:
    """Pixels (channel, y, x) as uint8 (y, x, 3): three channels, or the first one as grey."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1]
    if window:
        ends = np.array(window, np.float32)[:, :, None, None]
        shown = np.clip((shown - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * 255, 0, 255)
    rgb = np.broadcast_to(shown, (3, *shown.shape[1:])).transpose(1, 2, 0)
    return np.ascontiguousarray(rgb, np.uint8)
