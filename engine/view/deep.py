"""Deep: a picture of any size as tiles of its reductions by powers of two, read from the levels that its source has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import SlideError
from ...stores.downsample import resize
from ...stores.frame import Array, Box, Frame
from ...stores.slides.view import read_masked
from ...stores.source import Source

TILE = 512
"""Pixels along a tile."""
MAX_READ = 1 << 26
"""Pixels that are read for one tile, at most."""
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

    def tile(self, reduction: int, row: int, column: int) -> Array:
        """uint8 (y, x, 3) of a tile. Raises LookupError for one outside the picture, SlideError where it costs too much."""
        box = tile_box(self.shape(reduction), row, column)
        level = self._level(reduction)
        frame = self.source.frames[level]
        scale = [n / m for n, m in zip(frame.shape, self.shape(reduction), strict=True)]
        start = tuple(int(a * s) for a, s in zip(box.start, scale, strict=True))
        stop = tuple(min(n, -int(-b * s // 1)) for b, s, n in zip(box.stop, scale, frame.shape, strict=True))
        needed = Box(start, tuple(max(a + 1, b) for a, b in zip(start, stop, strict=True)))
        if needed.size > MAX_READ:
            raise SlideError("the file has no coarse level: zoom in to see it.", "E_NO_LEVEL")
        pixels, _ = read_masked(self.source, needed, level)
        height, width = box.shape
        return eight_bit(resize(pixels[self.first : self.first + 3], (height, width)), self.window)

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


def window_of(source: Source, first: int = 0) -> tuple[tuple[float, float], ...]:
    """The window of each of up to three channels, from the coarsest level."""
    if source.dtype == "uint8":
        return ()
    last = len(source.frames) - 1
    pixels = source.read(source.frames[last].box, last)[first : first + 3].astype(np.float32)
    if pixels[0].size > MAX_READ:
        pixels = pixels[..., ::4]
    found = []
    for channel in pixels if len(pixels) >= 3 else pixels[:1]:
        values = channel[channel != 0]
        low, high = np.percentile(values, WINDOW) if values.size else (0.0, 1.0)
        low = min(float(low), 0.0) if values.size and values.min() >= 0 else float(low)
        found.append((low, max(float(high), low + 1e-6)))
    return tuple(found)


def eight_bit(pixels: Array, window: tuple[tuple[float, float], ...]) -> Array:
    """Pixels (channel, y, x) as uint8 (y, x, 3): three channels, or the first one as grey."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1]
    if window:
        ends = np.array(window, np.float32)[:, :, None, None]
        shown = np.clip((shown - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * 255, 0, 255)
    rgb = np.broadcast_to(shown, (3, *shown.shape[1:])).transpose(1, 2, 0)
    return np.ascontiguousarray(rgb, np.uint8)
