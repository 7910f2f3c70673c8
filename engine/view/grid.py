"""Grid: the cells of an overlay as numbers from 0 to 255, held whole: what tiles, slices and pointers look up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stores.cells import LabelCells
from ...stores.frame import Array, Frame
from ...stores.image import StoredImage
from .viewed import CONFIDENCE, OverlayRef

MAX_SIDE = 512
"""Cells along a volume's grid, at most: of a pyramid, the finest level within it."""
MAX_CELLS = 1 << 28
"""Cells of a grid, at most; of a larger one, every second, third ... cell is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Cells on a frame."""

    cells: Array
    """uint8 (*axes): a label, or a value scaled from `low`..`high` to 1..255; 0 where there is nothing."""
    frame: Frame
    low: float = 0.0
    high: float = 0.0
    """Values of 1 and 255; equal for labels."""

    @property
    def nbytes(self) -> int:
        return int(self.cells.nbytes)

    def at(self, centre: tuple[float, ...]) -> int:
        """The cell at a position in micrometres; 0 outside."""
        frame = self.frame
        index = [int((c - o) // s) for c, o, s in zip(centre, frame.origin, frame.spacing, strict=True)]
        if not all(0 <= i < n for i, n in zip(index, frame.shape, strict=True)):
            return 0
        return int(self.cells[tuple(index)])

    def value(self, cell: int) -> float | None:
        """The value that a cell stands for; None for 0 and for labels."""
        if not cell or self.low == self.high:
            return None
        return self.low + (cell - 1) / 254 * (self.high - self.low)


def grid_of(overlay: OverlayRef) -> Grid:
    """The cells of an overlay. Raises CorruptError for a damaged one."""
    if overlay.kind == "mask":
        label = LabelCells.open(overlay.path)  # they may be stored pixel by pixel
        return Grid(*_thinned(np.ascontiguousarray(label.read_all(), np.uint8), label.frame))
    stored = StoredImage.open(overlay.path)
    level = 0
    if len(stored.frames[0].shape) == 3:
        small = [i for i, frame in enumerate(stored.frames) if max(frame.shape) <= MAX_SIDE]
        level = small[0] if small else len(stored.frames) - 1
    frame = stored.frames[level]
    values, frame = _thinned(stored.read(frame.box, level)[overlay.channel], frame)
    if overlay.kind != "values":
        return Grid(np.ascontiguousarray(values, np.uint8), frame)
    low, high = (0.0, 1.0) if overlay.name == CONFIDENCE else _range(values)
    scaled = 1 + np.rint(np.clip((values.astype(np.float32) - low) / (high - low), 0, 1) * 254)
    return Grid(np.where((values != 0) & np.isfinite(values), scaled, 0).astype(np.uint8), frame, low, high)


def _thinned(values: Array, frame: Frame) -> tuple[Array, Frame]:
    """Every second, fourth ... cell, until there are at most `MAX_CELLS`."""
    while values.size > MAX_CELLS:
        values, frame = values[(slice(None, None, 2),) * values.ndim], frame.coarsen((2,) * values.ndim)
    return values, frame


def _range(values: Array) -> tuple[float, float]:
    """The range of the values that are not 0: up to their 99.5th percentile, from 0 where none is below."""
    some = values[(values != 0) & np.isfinite(values)].astype(np.float64)
    if not some.size:
        return 0.0, 1.0
    low, high = min(0.0, float(some.min())), float(np.percentile(some, 99.5))
    return low, high if high > low else low + 1.0
