"""picture: pixels with a size in micrometres, and their reduction to the size of a map."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...stores.frame import Array
from .orientation import SideLetter


@dataclass(frozen=True, slots=True)
class Picture:
    """A colour picture of a slide."""

    rgb: Array
    """uint8 (y, x, 3)."""
    spacing: float
    """Micrometres a pixel."""
    dark: bool = False
    """Whether the background is black, as in a scan, not white, as glass."""
    letters: tuple[SideLetter, ...] = ()
    """Letters of the sides of planes of a volume."""

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8 or 0 in self.rgb.shape:
            raise ValueError(f"a picture is uint8 (y, x, 3), got {self.rgb.dtype} {self.rgb.shape}")
        if not (math.isfinite(self.spacing) and self.spacing > 0):
            raise ValueError(f"spacing is a positive length in micrometres, got {self.spacing}")

    @property
    def extent(self) -> tuple[float, float]:
        """Micrometres along y and x."""
        return self.rgb.shape[0] * self.spacing, self.rgb.shape[1] * self.spacing

    def fitted(self, long_side: int) -> Picture:
        """The picture with its longer side between half of `long_side` and all of it, by a whole factor.

        Smaller ones are repeated, larger ones averaged over blocks (an incomplete last block is left out).
        """
        longest = max(self.rgb.shape[:2])
        if longest <= long_side:
            factor = long_side // longest
            rgb = self.rgb.repeat(factor, axis=0).repeat(factor, axis=1)
            return replace(self, rgb=rgb, spacing=self.spacing / factor)
        return self.shrunk(math.ceil(longest / long_side))

    def shrunk(self, factor: int) -> Picture:
        """Averaged over blocks of `factor` pixels along each axis, fewer along an axis that has fewer."""
        height, width = self.rgb.shape[:2]
        by, bx = min(factor, height), min(factor, width)
        rows, columns = height // by, width // bx
        total = np.zeros((rows, columns, 3), np.uint32)
        for dy in range(by):
            for dx in range(bx):
                total += self.rgb[dy : rows * by : by, dx : columns * bx : bx]
        rgb = ((total + by * bx // 2) // (by * bx)).astype(np.uint8)
        return replace(self, rgb=rgb, spacing=self.spacing * factor)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cluster labels on the grid of tiles."""

    labels: Array
    """Integers (y, x); 0 = unlabelled."""
    spacing: float
    """Micrometres a cell."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Micrometres (y, x) of the upper left edge of cell (0, 0), counted from the picture's."""

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or not np.issubdtype(self.labels.dtype, np.integer):
            raise ValueError(f"labels are integers (y, x), got {self.labels.dtype} {self.labels.shape}")
        if not (math.isfinite(self.spacing) and self.spacing > 0):
            raise ValueError(f"spacing is a positive length in micrometres, got {self.spacing}")

    def positions(self, picture: Picture) -> tuple[Array, Array]:
        """Where the centres of the picture's rows and columns lie, in cells, float64: cell i is [i, i + 1)."""
        rows, columns = picture.rgb.shape[:2]
        y = ((np.arange(rows) + 0.5) * picture.spacing - self.origin[0]) / self.spacing
        x = ((np.arange(columns) + 0.5) * picture.spacing - self.origin[1]) / self.spacing
        return y, x

    def over(self, picture: Picture) -> Array:
        """The label under the centre of each pixel, (y, x); 0 outside the grid."""
        y, x = (np.floor(p).astype(np.int64) for p in self.positions(picture))
        out = np.zeros(picture.rgb.shape[:2], self.labels.dtype)
        inside_y, inside_x = ((p >= 0) & (p < n) for p, n in zip((y, x), self.labels.shape, strict=True))
        out[np.ix_(inside_y, inside_x)] = self.labels[np.ix_(y[inside_y], x[inside_x])]
        return out
