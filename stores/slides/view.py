"""View: a slide at the spacing of a run; and reads that mask tiles that cannot be decoded."""

from __future__ import annotations

import math

import numpy as np

from ...errors import SlideError, TileError
from ..frame import Array, Box, Frame
from ..source import Source
from ..tile_reader import Tiled, TileReader
from .area import Shrink, Shrinks, shrink

SPACING_TOLERANCE = 0.05
"""Largest relative difference of spacings at which a level is used without resampling."""


class View:
    """One level of a source, averaged to a coarser spacing; a Source with a single frame."""

    def __init__(self, source: Source, level: int, by: Shrinks, frame: Frame) -> None:
        self._source, self._by = source, by
        self.level = level
        """Level of the source that is read."""
        self.frames = (frame,)
        self.channels, self.dtype, self.background = source.channels, source.dtype, source.background
        height, width = source.tiles[level] if source.tiles else (256, 256)
        self.tiles = ((max(round(height / by[0].ratio), 1), max(round(width / by[1].ratio), 1)),)
        """(height, width) of about one of the file's own tiles, in pixels of this view."""

    @property
    def factor(self) -> tuple[float, float]:
        """Pixels of the level read that make one pixel of this view, (y, x)."""
        return self._by[0].ratio, self._by[1].ratio

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box` inside the frame: (channel, y, x). Raises TileError as the source does."""
        if level != 0 or not self.frames[0].box.contains(box):
            raise ValueError(
                f"a box is read inside its frame: {box} at level {level} is not within {self.frames[0].shape} of level 0. "
                "Clip it first."
            )
        if self.factor == (1.0, 1.0):
            return self._source.read(box, self.level)
        if not box.size:
            return np.empty((self.channels, *box.shape), self.dtype)
        spans = ((box.start[0], box.stop[0]), (box.start[1], box.stop[1]))
        needed = self.needs(box)
        corner = (needed.start[0], needed.start[1])
        return shrink(self._source.read(needed, self.level), corner, spans, self._by)

    def tile_reader(self, level: int = 0) -> TileReader | None:
        """What decodes the tiles of the level that is read; None where its pixels are averaged."""
        whole = level == 0 and self.factor == (1.0, 1.0)
        return self._source.tile_reader(self.level) if whole and isinstance(self._source, Tiled) else None

    def needs(self, box: Box) -> Box:
        """The pixels of the level that make the pixels of `box`."""
        if self.factor == (1.0, 1.0) or not box.size:
            return box
        ends = [axis.needs(a, b) for axis, a, b in zip(self._by, box.start, box.stop, strict=True)]
        return Box(tuple(a for a, _ in ends), tuple(b for _, b in ends))

    def touches(self, box: Box) -> Box:
        """The pixels of this view that pixels of the level's `box` are part of."""
        ends = zip(box.start, box.stop, self.factor, strict=True)
        limits = [(math.floor(a / f), math.ceil(b / f)) for a, b, f in ends]
        return Box(tuple(a for a, _ in limits), tuple(b for _, b in limits)) & self.frames[0].box


def at_spacing(source: Source, spacing: float) -> View:
    """The slide at `spacing` micrometres a pixel, or at the spacing of a level within 5 % of it.

    Otherwise the nearest finer level is averaged: by a whole factor if that comes within 5 %, else by the exact ratio.
    Raises SlideError (E_TOO_COARSE) if the finest level is coarser by more than 5 %.

    >>> from tile_engine.stores.memory import MemorySource
    >>> at_spacing(MemorySource(np.zeros((3, 100, 80), np.uint8), spacing=0.25), 0.5).frames[0].shape
    (50, 40)
    """
    have = [float(np.sqrt(frame.spacing[0] * frame.spacing[1])) for frame in source.frames]
    level = min(range(len(have)), key=lambda i: abs(have[i] / spacing - 1))
    if abs(have[level] / spacing - 1) <= SPACING_TOLERANCE:
        return View(source, level, _shrinks(source.frames[level], (1.0, 1.0)), source.frames[level])
    finer = [i for i, one in enumerate(have) if one < spacing]
    if not finer:
        raise SlideError(
            f"the finest level is {min(have):.4g} um a pixel, coarser than the run's {spacing:.4g} um: details would have "
            f"to be invented. Run at --spacing {min(have):.4g} or coarser, or leave this slide out.",
            "E_TOO_COARSE",
        )
    level = max(finer, key=lambda i: have[i])
    frame = source.frames[level]
    k = round(spacing / have[level])
    if abs(have[level] * k / spacing - 1) <= SPACING_TOLERANCE:
        by = _shrinks(frame, (float(k), float(k)))
    else:
        by = _shrinks(frame, (spacing / frame.spacing[0], spacing / frame.spacing[1]))
    sizes = tuple(axis.shape for axis in by)
    steps = tuple(s * axis.ratio if axis.whole else spacing for s, axis in zip(frame.spacing, by, strict=True))
    return View(source, level, by, Frame(frame.axes, sizes, steps, frame.origin))


def _shrinks(frame: Frame, ratio: tuple[float, float]) -> Shrinks:
    return Shrink(frame.shape[0], ratio[0]), Shrink(frame.shape[1], ratio[1])


def pieces_of(source: Source, level: int = 0) -> tuple[int, ...]:
    """Cells along each axis of the pieces that are masked one by one: the file's own tiles, where it has any."""
    axes = len(source.frames[level].shape)
    return source.tiles[level] if source.tiles else (256, 256) if axes == 2 else (64,) * axes


def read_masked(
    source: Source, box: Box, level: int = 0, tile: tuple[int, ...] | None = None
) -> tuple[Array, list[Box]]:
    """Pixels of `box`, and the boxes in it that could not be decoded and hold background instead.

    A failed read is repeated tile by tile, on multiples of `tile` (by default the file's own tiles).
    """
    try:
        return source.read(box, level), []
    except TileError:
        pass  # repeated below, tile by tile
    if tile is None:
        tile = pieces_of(source, level)
    pixels = np.full((source.channels, *box.shape), source.background, source.dtype)
    masked = []
    for piece in box.cut(tile):
        try:
            values = source.read(piece, level)
        except TileError:
            masked.append(piece)
            continue
        pixels[(slice(None), *piece.shift(tuple(-s for s in box.start)).slices)] = values
    return pixels, masked
