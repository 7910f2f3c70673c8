"""Scaled: a volume scaled for networks: its robust range becomes the range of uint16; stores keep the original values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .frame import Array, Box, Frame
from .source import Source

RANGE_TOP = 65535
"""Value of the upper end of the range; the lower end becomes 0."""
RANGE_PERCENTILES = (0.5, 99.5)
"""Percentiles at the ends of a volume's range: single bright vessels must not decide it."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A `Source` whose channels are scaled from their ranges to uint16; values outside are clipped."""

    source: Source
    ranges: Sequence[Sequence[float]]
    """(low, high) of every channel."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        return self.source.frames

    @property
    def channels(self) -> int:
        return self.source.channels

    @property
    def dtype(self) -> str:
        return "uint16"

    @property
    def background(self) -> int:
        return 0

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        """Cells of a chunk of each level."""
        return tuple((64,) * len(frame.shape) for frame in self.source.frames)

    def read(self, box: Box, level: int = 0) -> Array:
        """Scaled cells of `box`, uint16 (channel, *box.shape)."""
        values = self.source.read(box, level).astype(np.float32)
        for channel, (low, high) in zip(values, self.ranges, strict=True):
            channel -= low
            channel *= RANGE_TOP / (high - low)
        return np.clip(np.rint(values, out=values), 0, RANGE_TOP, out=values).astype(np.uint16)


def ranges_of(values: Array, mask: Array) -> list[list[float]]:
    """(low, high) of every channel of (channel, *axes) where `mask` is true: percentiles, or full range if they are equal.

    >>> ranges_of(np.arange(201.0)[None], np.ones(201, bool))
    [[1.0, 199.0]]
    """
    ranges = []
    for channel in values:
        cells = channel[mask] if mask.any() else channel.ravel()
        low, high = (float(v) for v in np.percentile(cells, RANGE_PERCENTILES))
        if not low < high:
            low, high = float(channel.min()), float(channel.max())
        ranges.append([low, high if high > low else low + 1.0])
    return ranges
