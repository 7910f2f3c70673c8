"""PackedMask: a mask in one bit a cell, for work that needs many masks at once; it knows its cells by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...stores.frame import Array
from .mask import Mask


class PackedMask:
    """The cells of a `Mask`, without the shares of boxes: an eighth of a byte a cell in place of nine bytes."""

    def __init__(self, mask: Mask) -> None:
        self.lattice = mask.lattice
        self._bits = np.packbits(mask.values, axis=-1)
        width = mask.values.shape[-1]
        self._ends = np.cumsum(mask.values.reshape(-1, width).sum(1, dtype=np.int64))

    def __len__(self) -> int:
        """Number of cells that the mask covers."""
        return int(self._ends[-1])

    @property
    def nbytes(self) -> int:
        return int(self._bits.nbytes + self._ends.nbytes)

    def cell(self, number: int) -> Array:
        """Position (axes,) of a cell that the mask covers, by its number in C order.

        >>> PackedMask(Mask(np.array([[0, 1], [1, 1]]), (1, 1), (2, 2))).cell(2)
        array([1, 1])
        """
        if not 0 <= number < len(self):
            raise IndexError(f"the mask covers {len(self)} cells, and cell {number} was asked for")
        row = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[row - 1]) if row else 0
        above = np.unravel_index(row, self._bits.shape[:-1])
        along = np.flatnonzero(np.unpackbits(self._bits[above]))[number - before]
        return np.array([*above, along], np.int64)

    def cells(self, start: Array, shape: Sequence[int]) -> Array:
        """As `Mask.cells`, for cells of the image itself."""
        picks, outside = self.lattice.at(start, shape)
        rows = np.unpackbits(self._bits[np.ix_(*picks[:-1])], axis=-1).astype(bool)
        return np.asarray(rows[..., picks[-1]] & ~outside)
