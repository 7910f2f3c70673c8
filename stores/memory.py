"""MemorySource and MemoryLayer: arrays in memory as Source and Layer, for tests and for pixels that are in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import TileError
from .array import Written
from .frame import Array, Box, Frame


class MemorySource:
    """Levels of an image in memory, finest first.

    >>> import numpy as np
    >>> source = MemorySource(np.zeros((3, 8, 6), np.uint8), spacing=0.5)
    >>> source.frames[0].shape, source.read(Box((0, 0), (2, 2))).shape
    ((8, 6), (3, 2, 2))
    """

    def __init__(
        self,
        *levels: Array,
        spacing: float = 1.0,
        frames: tuple[Frame, ...] = (),
        background: int = 255,
        broken: tuple[Box, ...] = (),
    ) -> None:
        """`levels` are (channel, *axes); `frames` are derived from `spacing` unless given. Reads of level 0 that touch a box
        of `broken` raise TileError, like a damaged file."""
        axes = ("z", "y", "x")[-(levels[0].ndim - 1) :]
        finest = Frame(axes, levels[0].shape[1:], (spacing,) * len(axes))
        ratios = [[round(n / m) for n, m in zip(finest.shape, a.shape[1:], strict=True)] for a in levels]
        self._levels, self._broken = levels, broken
        self.frames = frames or tuple(
            Frame(axes, a.shape[1:], tuple(s * k for s, k in zip(finest.spacing, ratio, strict=True)))
            for a, ratio in zip(levels, ratios, strict=True)
        )
        self.channels, self.dtype, self.background = int(levels[0].shape[0]), levels[0].dtype.name, background
        self.tiles: tuple[tuple[int, ...], ...] = ()

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box` inside `frames[level]`."""
        if not self.frames[level].box.contains(box):
            raise ValueError(
                f"a box is read inside its frame: {box} is not within {self.frames[level].shape}. Clip it."
            )
        if level == 0 and any((box & one).size for one in self._broken):
            raise TileError(f"pixels from {box.start} to {box.stop} are declared broken")
        pixels: Array = self._levels[level][(slice(None), *box.slices)].copy("K")
        return pixels


class MemoryLayer:
    """A layer in memory that accepts whole shards only, each once, like a stored layer.

    >>> layer = MemoryLayer(Frame(("y", "x"), (5, 4), (1.0, 1.0)), chunks=(4, 4), channels=1, dtype="uint8")
    >>> _ = layer.write(Box((4, 0), (5, 4)), np.ones((1, 1, 4), np.uint8))
    >>> layer.values.sum(), layer.complete
    (np.uint64(4), False)
    """

    def __init__(self, frame: Frame, *, chunks: tuple[int, ...], channels: int, dtype: str) -> None:
        self.frame, self.chunks = frame, chunks
        self.values = np.zeros((channels, *frame.shape), dtype)
        """(channel, *axes)"""
        self._left = set(frame.box.cut(chunks))

    @property
    def complete(self) -> bool:
        """Whether every shard was written."""
        return not self._left

    def write(self, box: Box, values: Array) -> Sequence[Written]:
        """Write one shard. Raises ValueError for a box that is no shard, or was written before."""
        if box not in self._left:
            raise ValueError(f"{box} is no shard of {self.chunks} that is still to be written: two writers would race.")
        if values.shape != (len(self.values), *box.shape) or values.dtype != self.values.dtype:
            raise ValueError(
                f"values of shape {values.shape} and type {values.dtype} do not fill {box} of a layer with "
                f"{len(self.values)} channels of {self.values.dtype}"
            )
        self._left.remove(box)
        self.values[(slice(None), *box.slices)] = values
        return []
