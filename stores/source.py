"""Source: the port from which pixels are read, for every file format."""

from __future__ import annotations

from typing import Protocol

from .frame import Array, Box, Frame


class Source(Protocol):
    """An image that can be read block by block.

    Readers are safe to call from several threads at once.
    """

    @property
    def frames(self) -> tuple[Frame, ...]:
        """One frame per level, finest first."""
        ...

    @property
    def channels(self) -> int: ...

    @property
    def dtype(self) -> str:
        """numpy name of the pixels' type."""
        ...

    @property
    def background(self) -> int:
        """Value of pixels that were not scanned, and around the frame: 255 for brightfield, else 0."""
        ...

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        """Cells along each axis of what the source stores as one piece, at each level: reads along them decode nothing twice.
        Empty where the source has no pieces of its own."""
        ...

    def read(self, box: Box, level: int = 0) -> Array:
        """Pixels of `box`, which lies inside `frames[level]`: shape (channel, *box.shape).

        Raises TileError where pixels cannot be decoded.
        """
        ...
