"""Warped: a source of one section read on the frame of another one, through a warp, with one interpolation.

```text
box of the reference --warp--> positions on the moving section --bounds--> window of its level that fits the local scale
```
The positions are computed on a coarse grid of nodes and are linear between them. A box whose window is too large is divided, so
that memory is bounded whatever the warp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from ...errors import TileError
from ..downsample import resize
from ..frame import Array, Box, Frame
from ..source import Source
from .warp import Warp

NODE = 16
"""Pixels between nodes, at most."""
MAX_WINDOW = 1 << 23
"""Pixels of a window, at most; a box with a larger one is divided."""
STRIP = 64
"""Rows that are interpolated at a time."""
SMALLEST = 32
"""Side of a box, in pixels, that is not divided any more."""
FINER = 1.05
"""A level is read down to a spacing this many times the one that the box needs."""


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

    def __init__(self, source: Gapped, warp: Warp, frames: Sequence[Frame], *, nearest: bool = False) -> None:
        """`nearest` takes the nearest pixel, for labels; else pixels are interpolated linearly."""
        self._source, self._warp, self._nearest = source, warp, nearest
        self.frames = tuple(frames)
        self.channels, self.dtype, self.background = source.channels, source.dtype, source.background
        self.tiles: tuple[tuple[int, ...], ...] = ()
        grids = [part.grid for part in warp.parts if part.grid is not None]
        self._bend = min((min(grid.spacing) for grid in grids), default=math.inf)

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
        at, window, _ = self._window(self._nodes(box, level)[0], level)
        for gap in self._source.absent(window, at):
            outline = _outline(gap)
            points = self._warp.to_reference(_to_um(outline, self._source.frames[at]))
            cells = (points[np.isfinite(points).all(1)] - np.array(frame.origin)) / np.array(frame.spacing)
            if not len(cells):
                continue
            low, high = np.floor(cells.min(0)).astype(int), np.ceil(cells.max(0)).astype(int)
            part = Box(tuple(map(int, low)), tuple(map(int, high))) & box
            gaps += [part] if part.size else []
        return gaps

    def _fill(self, out: Array, box: Box, level: int) -> None:
        nodes, step = self._nodes(box, level)
        at, window, shrink = self._window(nodes, level)
        if not window.size:
            out[...] = self.background
            return
        if window.size > MAX_WINDOW:
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
        pixels = self._source.read(window, at)
        if shrink > 1:
            pixels = _shrunk(pixels, shrink)
        positions = _pixels(nodes, self._source.frames[at], window.start, shrink)
        (_take if self._nearest else _interpolate)(out, pixels, positions, step, box, self.background)

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

    def _window(self, nodes: Array, level: int) -> tuple[int, Box, int]:
        """(level of the source to read, window of it that the box needs, pixels of the level whose mean is taken)."""
        frames = self._source.frames
        have = [math.sqrt(f.spacing[0] * f.spacing[1]) for f in frames]
        dy, dx = nodes[1:, :-1] - nodes[:-1, :-1], nodes[:-1, 1:] - nodes[:-1, :-1]
        area = float(np.median(np.abs(dy[..., 0] * dx[..., 1] - dy[..., 1] * dx[..., 0])))
        needed = math.sqrt(area) / self._step(self.frames[level])
        fine = [i for i, spacing in enumerate(have) if spacing <= needed * FINER]
        at = max(fine, key=lambda i: have[i]) if fine else int(np.argmin(have))
        shrink = 1 if self._nearest else max(1, int(needed / have[at] * FINER))
        cells = (nodes - np.array(frames[at].origin)) / np.array(frames[at].spacing)
        low = np.floor(cells.min((0, 1)) / shrink - 1.5).astype(np.int64) * shrink
        high = (np.ceil(cells.max((0, 1)) / shrink + 1.5).astype(np.int64)) * shrink
        shape = np.array(frames[at].shape)
        low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
        return at, Box(tuple(map(int, low)), tuple(map(int, np.maximum(low, high)))), shrink

    def _step(self, frame: Frame) -> int:
        """Pixels between nodes: a sixteenth of the distance between samples of the field."""
        if not math.isfinite(self._bend):
            return NODE
        return max(1, min(NODE, int(self._bend / max(frame.spacing) / 16)))


def _pixels(nodes: Array, frame: Frame, start: Sequence[int], shrink: int) -> Array:
    """Positions in micrometres -> pixels (y, x) of the window that was read, with centres at whole numbers, float32."""
    cells = (nodes - np.array(frame.origin)) / np.array(frame.spacing) - np.array(start)
    return np.asarray(cells / shrink - 0.5, np.float32)


def _strips(nodes: Array, step: int, box: Box) -> Iterator[tuple[slice, Array, Array]]:
    """Rows of the box, and the x and y of their pixels, float32; the two arrays are written over by the next strip.

    Between nodes positions are linear. Strips stay in the processor's cache, where whole boxes do not.
    """
    import cv2

    cv2.setNumThreads(1)  # units run in parallel already
    height, width = box.shape
    left = step + box.start[1] % step
    size = (nodes.shape[1] * step, nodes.shape[0])
    planes = [np.ascontiguousarray(nodes[..., axis]) for axis in (1, 0)]
    rows = [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR)[:, left : left + width] for p in planes]
    at = (np.arange(height) + step + box.start[0] % step + 0.5) / step - 0.5
    low = np.floor(at).astype(np.int64)
    weight = (at - low).astype(np.float32)[:, None]
    buffers = np.empty((2, min(STRIP, height), width), np.float32)
    spare = np.empty(buffers.shape[1:], np.float32)
    for start in range(0, height, STRIP):
        part = slice(start, min(start + STRIP, height))
        count = part.stop - part.start
        for values, out in zip(rows, buffers, strict=True):
            np.take(values, low[part], axis=0, out=out[:count], mode="clip")
            above = np.take(values, low[part] + 1, axis=0, out=spare[:count], mode="clip")
            above -= out[:count]
            above *= weight[part]
            out[:count] += above
        yield part, buffers[0, :count], buffers[1, :count]


def _interpolate(out: Array, pixels: Array, nodes: Array, step: int, box: Box, background: int) -> None:
    import cv2

    for first in range(0, len(pixels), 3):
        planes = [np.ascontiguousarray(plane) for plane in pixels[first : first + 3]]
        count = len(planes)
        # four channels are interpolated in less than half the time of three
        picture = planes[0] if count == 1 else cv2.merge([*planes, *planes[: 4 - count]])
        buffer = np.empty((min(STRIP, box.shape[0]), box.shape[1], *picture.shape[2:]), picture.dtype)
        for part, x, y in _strips(nodes, step, box):
            values = cv2.remap(
                picture,
                x,
                y,
                cv2.INTER_LINEAR,
                dst=buffer[: len(x)],
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(background,) * 4,
            )
            for i in range(count):
                out[first + i, part] = values if count == 1 else values[..., i]


def _take(out: Array, pixels: Array, nodes: Array, step: int, box: Box, background: int) -> None:
    """The nearest pixel; any type of number."""
    for part, x_positions, y_positions in _strips(nodes, step, box):
        x, y = np.rint(x_positions).astype(np.int64), np.rint(y_positions).astype(np.int64)
        inside = (y >= 0) & (y < pixels.shape[1]) & (x >= 0) & (x < pixels.shape[2])
        values = pixels[:, np.where(inside, y, 0), np.where(inside, x, 0)]
        out[:, part] = np.where(inside, values, np.asarray(background, out.dtype))


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


def _to_um(corners: Array, frame: Frame) -> Array:
    return np.asarray(np.array(frame.origin) + corners * np.array(frame.spacing))
