"""Layer: the port through which results are kept, cell by cell on a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .array import Written
from .frame import Array, Box, Frame


class Layer(Protocol):
    """A field on a frame that takes whole shards."""

    @property
    def frame(self) -> Frame: ...

    @property
    def chunks(self) -> tuple[int, ...]:
        """Cells that one write covers along each axis: the shard, so that no two writers share a file."""
        ...

    def write(self, box: Box, values: Array) -> Sequence[Written]:
        """Keep `values` of shape (channel, *box.shape); `box` is one whole shard, clipped where the frame ends."""
        ...
