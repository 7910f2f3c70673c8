"""Warped: a source of one section read on the frame of another one, through a warp, with one interpolation.

```text
box of the reference --warp--> positions on the moving section --bounds--> window of the level that fits the frame
```
The positions are computed on a coarse grid of nodes and are linear between them, in whole parts of a pixel. So a box reads
exactly what the whole frame has there. A box whose window is too large is divided, and pixels of which the mean is taken are
read in pieces, so that memory is bounded whatever the warp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...errors import TileError
from ..downsample import resize
from ..frame import Array, Box, Frame
from ..source import Source
from .between_nodes import NODE, NOWHERE, fixed, interpolate, strips, take_nearest
from .points import to_um
from .warp import Warp

MAX_WINDOW = 1 << 23
"""Pixels that are read at a time, and of a window that is interpolated, at most; a box with a larger one is divided."""
MAX_SIDE = 16_000
"""Pixels of a side of a box and of its window, at most: OpenCV interpolates no more than 32,766."""
SMALLEST = 32
"""Side of a box, in pixels, that is not divided any more."""
FINER = 1.05
"""A level is read down to a spacing this many times the one that the frame needs."""


class Gapped(Source, Protocol):
    """A source that knows what its file does not hold, such as a slide."""

    def absent(self, box: Box, level: int = 0) -> list[Box]: ...


class Whole:
    """A source that has no gaps, such as a stored image."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.frames, self.tiles = source.frames, source.tiles
        self.channels, self.dtype, self.background = source.channels, source.dtype, source.background

    def read(self, box: Box, level: int = 0) -> Array:
        return self._source.read(box, level)

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        return []


class Warped:
    """A moving section on the frames of the reference: a Source, safe to read from several threads."""

    def __init__(
        self,
        source: Gapped,
        warp: Warp,
        frames: Sequence[Frame],
        *,
        nearest: bool = False,
        background: int | None = None,
    ) -> None:
        """`nearest` takes the nearest pixel, for labels; else pixels are interpolated linearly.

        `background` is the value outside of the moving section; the source's where none is given.
        """
        self._source, self._warp, self._nearest = source, warp, nearest
        self.frames = tuple(frames)
        self.channels, self.dtype = source.channels, source.dtype
        self.background = source.background if background is None else background
        self.tiles: tuple[tuple[int, ...], ...] = ()
        grids = [part.grid for part in warp.parts if part.grid is not None]
        self._bend = min((min(grid.spacing) for grid in grids), default=math.inf)
        self._levels = [self._level_for(frame) for frame in self.frames]

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box` inside the frame: (channel, y, x); background where the moving section has none.

        Raises TileError as the source does, and where the warp spreads a few pixels over too large a window.
        """
        if not self.frames[level].box.contains(box):
            raise ValueError(
                f"a box is read inside its frame: {box} is not within {self.frames[level].shape}. Clip it."
            )
        out = np.empty((self.channels, *box.shape), self.dtype)
        if box.size:
            self._fill(out, box, level)
        return out

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        """The parts of `box` that come from what the moving section's file does not hold, as boxes around them."""
        frame, gaps = self.frames[level], list[Box]()
        if not box.size:
            return gaps
        at, window = self._levels[level][0], self._window(self._nodes(box, level)[0], level)
        if not window.size:
            return gaps
        for gap in self._source.absent(window, at):
            outline = _outline(gap)
            points = self._warp.to_reference(to_um(outline, self._source.frames[at], corners=True))
            cells = (points[np.isfinite(points).all(1)] - np.array(frame.origin)) / np.array(frame.spacing)
            if not len(cells):
                continue
            low, high = np.floor(cells.min(0)).astype(int), np.ceil(cells.max(0)).astype(int)
            part = Box(tuple(map(int, low)), tuple(map(int, high))) & box
            gaps += [part] if part.size else []
        return gaps

    def unplaced(self, box: Box, level: int = 0) -> int:
        """Pixels of `box` that are background because the warp has no position for them."""
        nodes, step = self._nodes(box, level)
        if not box.size or np.isfinite(nodes).all():
            return 0
        return sum(int((x == NOWHERE).sum()) for _, x, _ in strips(fixed(nodes), step, box))

    def _fill(self, out: Array, box: Box, level: int) -> None:
        nodes, step = self._nodes(box, level)
        at, shrink = self._levels[level]
        window = self._window(nodes, level)
        if not window.size:
            out[...] = self.background
            return
        shape = [-(-n // shrink) for n in window.shape]
        if math.prod(shape) > MAX_WINDOW or max(*shape, *box.shape) > MAX_SIDE:
            longest = int(np.argmax(box.shape))
            if box.shape[longest] <= SMALLEST:
                raise TileError(
                    f"the warp spreads {box.shape} pixels over {window.shape} of level {at}: it tears the section there"
                )
            middle = box.start[longest] + box.shape[longest] // 2
            for start, stop in ((box.start[longest], middle), (middle, box.stop[longest])):
                a, b = list(box.start), list(box.stop)
                a[longest], b[longest] = start, stop
                part = Box(tuple(a), tuple(b))
                self._fill(out[(slice(None), *part.shift([-s for s in box.start]).slices)], part, level)
            return
        pixels = self._source.read(window, at) if shrink == 1 else self._means(window, at, shrink)
        frame = self._source.frames[at]
        cells = (nodes - np.array(frame.origin)) / np.array(frame.spacing) / shrink
        rows = strips(fixed(cells, start=[s // shrink for s in window.start]), step, box)
        (take_nearest if self._nearest else interpolate)(out, pixels, rows, self.background)

    def _means(self, window: Box, at: int, shrink: int) -> Array:
        """Means of `shrink` x `shrink` pixels of a window that starts at a multiple of it, read in pieces."""
        start = [s // shrink for s in window.start]
        side = math.isqrt(MAX_WINDOW) // shrink * shrink
        out = np.empty((self.channels, *(-(-n // shrink) for n in window.shape)), self.dtype)
        for piece in window.cut((side or shrink,) * 2):
            cells = piece.coarsen((shrink,) * 2).shift([-s for s in start])
            if side:
                out[(slice(None), *cells.slices)] = _shrunk(self._source.read(piece, at), shrink)
                continue
            parts = (self._source.read(part, at) for part in piece.cut((math.isqrt(MAX_WINDOW),) * 2))
            mean = np.sum([part.sum((1, 2), dtype=np.float64) for part in parts], axis=0) / piece.size
            out[(slice(None), *cells.slices)] = (np.rint(mean) if out.dtype.kind in "iu" else mean)[:, None, None]
        return out

    def _nodes(self, box: Box, level: int) -> tuple[Array, int]:
        """Positions of the nodes of a box on the moving section, in micrometres (y, x, 2), and pixels between nodes.

        A node lies in the middle of each block of pixels of the frame that the box touches, and of the blocks around these: a
        box has the nodes that the whole frame has.
        """
        frame = self.frames[level]
        step = self._step(frame)
        axes = []
        for start, stop, spacing, origin in zip(box.start, box.stop, frame.spacing, frame.origin, strict=True):
            nodes = np.arange(start // step - 1, -(-stop // step) + 1)
            axes.append(origin + (nodes + 0.5) * step * spacing)
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        return self._warp.to_moving(grid.reshape(-1, 2)).reshape(grid.shape), step

    def _level_for(self, frame: Frame) -> tuple[int, int]:
        """(level of the source to read, pixels of it whose mean is taken) for a frame: by the scale of the affine maps."""
        have = [math.sqrt(math.prod(f.spacing)) for f in self._source.frames]
        needed = math.sqrt(math.prod(frame.spacing) * self._warp.scale)
        fine = [i for i, spacing in enumerate(have) if spacing <= needed * FINER]
        at = max(fine, key=lambda i: have[i]) if fine else int(np.argmin(have))
        return at, 1 if self._nearest else max(1, round(needed / have[at]))

    def _window(self, nodes: Array, level: int) -> Box:
        """The window of the source's level that a box needs; empty where none of its nodes has a position."""
        (at, shrink), known = self._levels[level], np.isfinite(nodes).all(-1)
        if not known.any():
            return Box((0, 0), (0, 0))
        frame = self._source.frames[at]
        cells = (nodes[known] - np.array(frame.origin)) / np.array(frame.spacing)
        low = np.floor(cells.min(0) / shrink - 1.5).astype(np.int64) * shrink
        high = (np.ceil(cells.max(0) / shrink + 1.5).astype(np.int64)) * shrink
        shape = np.array(frame.shape)
        low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
        return Box(tuple(map(int, low)), tuple(map(int, np.maximum(low, high))))

    def _step(self, frame: Frame) -> int:
        """Pixels between nodes, a power of two: about a sixteenth of the distance between samples of the field."""
        most = min(NODE, self._bend / max(frame.spacing) / 16)
        return 1 << int(math.log2(max(1, most)))


def _shrunk(pixels: Array, by: int) -> Array:
    """Means of `by` x `by` pixels; the last ones go on as at the rim."""
    pads = [(0, -n % by) for n in pixels.shape[1:]]
    if any(after for _, after in pads):
        pixels = np.pad(pixels, [(0, 0), *pads], mode="edge")
    return np.asarray(resize(pixels, (pixels.shape[1] // by, pixels.shape[2] // by)))


def _outline(box: Box) -> Array:
    """Corners of cells along the rim of a box, (n, 2)."""
    along = np.linspace(0, 1, 17)
    sides = [(along, 0 * along), (along, 0 * along + 1), (0 * along, along), (0 * along + 1, along)]
    points = np.concatenate([np.stack(side, -1) for side in sides])
    return np.asarray(np.array(box.start) + points * np.array(box.shape))
