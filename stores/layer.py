"""Layer: the port to which results are written, cell by cell on a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .array import Written
from .frame import Array, Box, Frame


class Layer(Protocol):
    """A field on a frame, written in whole shards."""

    @property
    def frame(self) -> Frame: ...

    @property
    def chunks(self) -> tuple[int, ...]:
        """Cells of one write along each axis: a shard, so that no two writers share a file."""
        ...

    def write(self, box: Box, values: Array) -> Sequence[Written]:
        """Write `values` of shape (channel, *box.shape); `box` is one whole shard, clipped where the frame ends."""
        ...
