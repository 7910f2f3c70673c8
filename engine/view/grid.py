"""Grid: the cells of an overlay as numbers from 0 to 255, held whole: what tiles, slices and pointers look up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stores.cells import LabelCells
from ...stores.frame import Array, Box, Frame
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
        index = index_of(self.frame, centre)
        return int(self.cells[index]) if is_in(self.frame, index) else 0

    def value(self, cell: int) -> float | None:
        """The value that a cell stands for; None for 0 and for labels."""
        if not cell or self.low == self.high:
            return None
        return self.low + (cell - 1) / 254 * (self.high - self.low)


def grid_of(overlay: OverlayRef) -> Grid:
    """The cells of an overlay. Raises CorruptError for a damaged one."""
    if overlay.kind == "mask":
        label = LabelCells.open(overlay.path)  # they may be stored pixel by pixel
        return Grid(*thinned(np.ascontiguousarray(label.read_all(), np.uint8), label.frame))
    stored = StoredImage.open(overlay.path)
    values, frame = _read_thinned(stored, shown_level(stored.frames), overlay.channel)
    if overlay.kind != "values":
        return Grid(np.ascontiguousarray(values, np.uint8), frame)
    low, high = (0.0, 1.0) if overlay.name == CONFIDENCE else _range(values)
    cells = np.empty(values.shape, np.uint8)
    for i, part in enumerate(values):  # a row or plane at a time: the grid may be large
        scaled = 1 + np.rint(np.clip((part.astype(np.float32) - low) / (high - low), 0, 1) * 254)
        cells[i] = np.where((part != 0) & np.isfinite(part), scaled, 0)
    return Grid(cells, frame, low, high)


def shown_level(frames: tuple[Frame, ...], side: int = MAX_SIDE) -> int:
    """The level that is shown: of a volume, the finest one whose sides are at most `side`, else the coarsest one."""
    if len(frames[0].shape) == 2:
        return 0
    small = [i for i, frame in enumerate(frames) if max(frame.shape) <= side]
    return small[0] if small else len(frames) - 1


def label_at(overlay: OverlayRef, centre: tuple[float, ...]) -> int:
    """The same as `grid_of(overlay).at(centre)` of clusters, read from the store alone: for one position of an image."""
    stored = StoredImage.open(overlay.path)
    level = shown_level(stored.frames)
    index = index_of(stored.frames[level], centre)
    if not is_in(stored.frames[level], index):
        return 0
    return int(stored.read(Box(index, tuple(i + 1 for i in index)), level)[overlay.channel].item())


def index_of(frame: Frame, centre: tuple[float, ...]) -> tuple[int, ...]:
    """The cell of a frame that a position in micrometres lies in; it may be outside."""
    return tuple(int((c - o) // s) for c, o, s in zip(centre, frame.origin, frame.spacing, strict=True))


def is_in(frame: Frame, index: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(index, frame.shape, strict=True))


def _read_thinned(stored: StoredImage, level: int, channel: int) -> tuple[Array, Frame]:
    """One channel of a level, thinned as `thinned` does, a shard in memory at a time."""
    frame, step = stored.frames[level], 1
    while np.prod(frame.shape, dtype=np.int64) > MAX_CELLS:
        frame, step = frame.coarsen((2,) * len(frame.shape)), 2 * step
    out = np.empty(frame.shape, stored.dtype)
    whole = stored.frames[level].box
    for part in frame.box.cut(tuple(max(1, n // step) for n in stored.shard(level))):
        box = part.refine((step,) * len(frame.shape)) & whole
        pixels = stored.levels[level].read(Box((channel, *box.start), (channel + 1, *box.stop)))[0]
        out[part.slices] = pixels[(slice(None, None, step),) * len(frame.shape)]
    return out, frame


def thinned(values: Array, frame: Frame, most: int = MAX_CELLS) -> tuple[Array, Frame]:
    """Every second, fourth ... cell, until there are at most `most`."""
    while values.size > most:
        values, frame = values[(slice(None, None, 2),) * values.ndim], frame.coarsen((2,) * values.ndim)
    return values, frame


def _range(values: Array) -> tuple[float, float]:
    """The range of the values that are not 0: up to their 99.5th percentile, from 0 where none is below."""
    some = values[(values != 0) & np.isfinite(values)].astype(np.float64)
    if not some.size:
        return 0.0, 1.0
    low, high = min(0.0, float(some.min())), float(np.percentile(some, 99.5))
    return low, high if high > low else low + 1.0
