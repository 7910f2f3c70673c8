"""Normalized: an image in the units that generators work in: background 0, and 1 where the scale is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....stores.frame import Array, Box, Frame
from ....stores.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """How stored values become a generator's, and back."""

    scale: Array
    """(C,)"""
    white: float = 0.0
    """Value of the background where it is the brightest, as of slides; values then count from it downwards."""

    def of(self, values: Array) -> Array:
        """Stored values (C, *axes) as float32 in the generator's units."""
        x = values.astype(np.float32)
        if self.white:
            np.subtract(self.white, x, out=x)
        x *= (1 / self.scale).astype(np.float32).reshape(-1, *(1,) * (x.ndim - 1))
        return x

    def back(self, values: Array, dtype: str) -> Array:
        """Values of a generator in the stored units and dtype; rounded, and clipped to the dtype's range."""
        y = values * self.scale.astype(np.float32).reshape(-1, *(1,) * (values.ndim - 1))
        if self.white:
            y = self.white - y
        kind = np.dtype(dtype)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            return np.clip(np.rint(y), limits.min, limits.max).astype(kind)
        return y.astype(kind)


class Covered(Protocol):
    """A mask that says which cells of a box it covers: `Mask` or `PackedMask`."""

    def cells(self, start: Array, shape: Sequence[int]) -> Array: ...


Change = Callable[[Array, Box], Array]
"""(values (C, *box.shape), their box) -> values of the same shape."""


def unchanged(values: Array, box: Box) -> Array:
    """The values as they are."""
    return values


@dataclass(frozen=True, slots=True, eq=False)
class Normalized:
    """A `Source` in the generator's units, 0 outside of a mask: what generators are trained on."""

    source: Source
    units: Units
    mask: Covered
    change: Change = unchanged
    """What is done to the values in the generator's units, as the tone of the light generator."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        return self.source.frames

    @property
    def channels(self) -> int:
        return self.source.channels

    @property
    def dtype(self) -> str:
        return "float32"

    @property
    def background(self) -> int:
        return 0

    @property
    def tiles(self) -> tuple[tuple[int, ...], ...]:
        return self.source.tiles

    def read(self, box: Box, level: int = 0) -> Array:
        """Cells of `box`, float32 (channel, *box.shape)."""
        values = self.units.of(self.source.read(box, level))
        return self.change(np.asarray(values * self.mask.cells(np.array(box.start), box.shape)), box)
