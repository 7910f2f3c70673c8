"""Stacked: several sections on one frame as one source, whose channels are theirs one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..frame import Array, Box, Frame
from .warped import Gapped


class Stacked:
    """Sources with the same frames, joined along the channels; a missing one is background."""

    def __init__(
        self,
        sources: Sequence[Gapped | None],
        frames: Sequence[Frame],
        *,
        channels: int = 3,
        dtype: str = "uint8",
        background: int = 255,
    ) -> None:
        """`channels` are those of each source. Raises ValueError for a source of another kind or on other frames."""
        for source in sources:
            if source is not None and (source.channels, source.dtype) != (channels, dtype):
                raise ValueError(
                    f"a stack has {channels} channels of {dtype} a section, got {source.channels} of {source.dtype}"
                )
            if source is not None and [f.shape for f in source.frames] != [f.shape for f in frames]:
                raise ValueError("the sections of a stack lie on one frame: read them through their warps")
        self._sources, self._each = tuple(sources), channels
        self.frames = tuple(frames)
        self.channels, self.dtype, self.background = channels * len(sources), dtype, background
        self.tiles: tuple[tuple[int, ...], ...] = ()

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box` inside the frame: (channel, y, x). Raises TileError where a section's pixels cannot be decoded."""
        out = np.empty((self.channels, *box.shape), self.dtype)
        for i, source in enumerate(self._sources):
            out[i * self._each : (i + 1) * self._each] = self.background if source is None else source.read(box, level)
        return out

    def only(self, section: int) -> Stacked:
        """The same stack with the pixels of one section: the channels of the others are background, and nothing is read."""
        sources = [source if i == section else None for i, source in enumerate(self._sources)]
        return Stacked(sources, self.frames, channels=self._each, dtype=self.dtype, background=self.background)

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        """The parts of `box` that the file of some section does not hold."""
        gaps = [gap for source in self._sources if source is not None for gap in source.absent(box, level)]
        return sorted(set(gaps), key=lambda gap: (gap.start, gap.stop))
