"""Warp: where each position of a reference section lies on a moving one, both in micrometres; lazily composed.

```text
reference (y, x) --> + field --> affine --> moving (y, x)          one part; a warp is a chain of parts
```
The map pulls pixels: a reader asks it of each position of the reference which position of the moving section to read. The
field is sampled at the cell centres of a coarse grid, is linear between them, and goes on as at its rim outside of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..frame import Array, Frame
from .field import displacement_at, undisplaced


@dataclass(frozen=True, slots=True)
class WarpPart:
    """One part of a warp: a displacement field, and an affine map after it."""

    affine: Array
    """float64 (2, 3): (y, x, 1) in micrometres to (y, x) in micrometres."""
    field: Array | None = None
    """Displacements (y, x) in micrometres, float32 (2, *grid.shape); None where there are none."""
    grid: Frame | None = None
    """The cells at whose centres the field is sampled; None where there is no field."""

    def __post_init__(self) -> None:
        """Raises ValueError for an affine that cannot be inverted, or a field that does not fit its grid."""
        if self.affine.shape != (2, 3) or not np.isfinite(self.affine).all() or abs(_det(self.affine)) < 1e-12:
            raise ValueError(f"an affine map has shape (2, 3), finite numbers and an inverse, got {self.affine!r}")
        shape = None if self.field is None else self.field.shape
        if (self.grid is None) != (shape is None) or (self.grid is not None and shape != (2, *self.grid.shape)):
            raise ValueError(f"a field has one displacement (y, x) a cell of its grid, got {shape} and {self.grid}")

    def displacement(self, points: Array) -> Array:
        """Displacements (n, 2) at positions (n, 2), in micrometres."""
        if self.field is None or self.grid is None:
            return np.zeros_like(points)
        return displacement_at(self.field, self.grid, points)

    def to_moving(self, points: Array) -> Array:
        return np.asarray((points + self.displacement(points)) @ self.affine[:, :2].T + self.affine[:, 2])

    def to_reference(self, points: Array) -> Array:
        """The inverse; NaN where the position is not finite."""
        goal = np.asarray((points - self.affine[:, 2]) @ np.linalg.inv(self.affine[:, :2]).T)
        return goal if self.field is None or self.grid is None else undisplaced(self.field, self.grid, goal)

    def determinants(self) -> Array:
        """The smallest Jacobian determinant of the field in each cell between its samples, without the affine map.

        Between four samples the map is bilinear, and its determinant is least at one of them.
        """
        if self.field is None or self.grid is None or min(self.grid.shape) < 2:
            return np.ones((1, 1))
        u = self.field.astype(np.float64)
        along_y = np.diff(u, axis=1) / self.grid.spacing[0]
        along_x = np.diff(u, axis=2) / self.grid.spacing[1]
        least = np.full((self.grid.shape[0] - 1, self.grid.shape[1] - 1), np.inf)
        for y in (0, 1):
            for x in (0, 1):
                dy = along_y[:, :, x : along_y.shape[2] - 1 + x]
                dx = along_x[:, y : along_x.shape[1] - 1 + y]
                least = np.minimum(least, (1 + dy[0]) * (1 + dx[1]) - dx[0] * dy[1])
        return least


@dataclass(frozen=True, slots=True)
class Warp:
    """A chain of parts, from the reference to the moving section; composing two makes a longer chain and samples nothing.

    >>> shift = Warp.of_affine([[1, 0, 5.0], [0, 1, -2.0]])
    >>> shift.then(shift).to_moving(np.zeros((1, 2)))
    array([[10., -4.]])
    """

    parts: tuple[WarpPart, ...]
    inverted: bool = False
    """Whether it is read backwards: then its reference is the moving section of its parts."""

    @classmethod
    def of_affine(cls, affine: Sequence[Sequence[float]] | Array) -> Warp:
        return cls((WarpPart(np.asarray(affine, np.float64)),))

    def then(self, other: Warp) -> Warp:
        """The warp from this one's reference to the other one's moving section. Raises ValueError for an inverted one."""
        if self.inverted or other.inverted:
            raise ValueError("an inverted warp is composed with none: compose first, then invert")
        return Warp((*self.parts, *other.parts))

    def inverse(self) -> Warp:
        """The warp the other way."""
        return replace(self, inverted=not self.inverted)

    def to_moving(self, points: Array) -> Array:
        """Positions (n, 2) on the reference, (y, x) in micrometres -> those on the moving section."""
        return self._backward(points) if self.inverted else self._forward(points)

    def to_reference(self, points: Array) -> Array:
        """Positions (n, 2) on the moving section -> those on the reference; of several, where a field folds, one.

        NaN where a position is not finite."""
        return self._forward(points) if self.inverted else self._backward(points)

    def _forward(self, points: Array) -> Array:
        points = np.asarray(points, np.float64)
        for part in self.parts:
            points = part.to_moving(points)
        return points

    def _backward(self, points: Array) -> Array:
        points = np.asarray(points, np.float64)
        for part in reversed(self.parts):
            points = part.to_reference(points)
        return points

    @property
    def scale(self) -> float:
        """Area on the moving section of one square micrometre of the reference, by the affine maps."""
        scale = math.prod(abs(_det(part.affine)) for part in self.parts)
        return 1 / scale if self.inverted else scale

    @property
    def folding(self) -> float:
        """Share of its fields' cells in which the Jacobian determinant is 0 or less somewhere, so that the map folds."""
        values = [part.determinants() for part in self.parts]
        return max(float((least <= 0).mean()) for least in values)


def warp_of_pixels(
    affine: Array, field: Array | None, *, stride: float, origin: Sequence[float], reference: Frame, moving: Frame
) -> Warp:
    """A warp in micrometres from one in pixels of two overviews.

    `affine` (2, 3) takes pixels (y, x) of the reference to those of the moving overview; pixel centres are whole numbers.
    `field` (2, h, w) is added before it: samples `stride` pixels apart, the first at `origin`.
    """
    to_um = [_pixels_to_um(frame) for frame in (reference, moving)]
    square = np.vstack([np.asarray(affine, np.float64), [0, 0, 1]])
    matrix = (to_um[1] @ square @ np.linalg.inv(to_um[0]))[:2]
    if field is None:
        return Warp.of_affine(matrix)
    spacing = tuple(stride * s for s in reference.spacing)
    edges = zip(origin, reference.spacing, reference.origin, spacing, strict=True)
    first = tuple(at + (p + 0.5) * s - step / 2 for p, s, at, step in edges)
    grid = Frame(reference.axes, field.shape[1:], spacing, first)
    lengths = np.array(reference.spacing, np.float32)[:, None, None]
    return Warp((WarpPart(matrix, np.asarray(field * lengths, np.float32), grid),))


def _pixels_to_um(frame: Frame) -> Array:
    matrix = np.diag([*frame.spacing, 1.0])
    matrix[:2, 2] = np.array(frame.origin) + np.array(frame.spacing) / 2
    return matrix


def _det(matrix: Array) -> float:
    return float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
