"""transform: the map from a reference section to a moving section, and where a point goes under it.

Pixel centres have integer coordinates, and coordinates are in the order (y, x). The map pulls back: it says for each point of
the reference which point of the moving image shows the same tissue, so that an image is warped with one interpolation.

```text
moving = affine @ (p + field(p), 1)        p in pixels of the reference
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
IDENTITY = np.eye(2, 3)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a fit: what a check on evidence that it had not seen said of it."""

    name: str
    accepted: bool
    score_before: float
    """Similarity on the blocks held out, before the stage; larger is better. NaN where nothing could be measured."""
    score_after: float
    why: str
    """Why the stage was accepted or not, in words."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Field:
    """A displacement on a regular grid over the reference, bilinear between its nodes and constant beyond them."""

    values: Array
    """float32 (2, h, w): displacement along y and x at the nodes, in pixels of the reference."""
    stride: float
    """Distance of neighbouring nodes in pixels."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Coordinates (y, x) of the first node."""

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or len(self.values) != 2 or min(self.values.shape[1:]) < 2 or self.stride <= 0:
            raise ValueError(
                f"a field is (2, h, w), two nodes or more a side, with a positive stride, not {self.values.shape}"
            )

    def at(self, points: Array) -> Array:
        """Displacement (n, 2) at points (n, 2)."""
        limits = np.array(self.values.shape[1:]) - 1
        place = np.clip((np.asarray(points, float) - self.origin) / self.stride, 0, limits)
        low = np.minimum(place.astype(int), limits - 1)
        (wy, wx), (y, x), v = (place - low).T, low.T, self.values.astype(float)
        upper = v[:, y, x] * (1 - wx) + v[:, y, x + 1] * wx
        lower = v[:, y + 1, x] * (1 - wx) + v[:, y + 1, x + 1] * wx
        return np.asarray((upper * (1 - wy) + lower * wy).T)

    def determinants(self) -> Array:
        """Determinant of the Jacobian of p + field(p) at the four corners of each cell, (4, h - 1, w - 1).

        Within a cell it is linear along y and x, so the least of a cell is at a corner.
        """
        dy = np.diff(self.values.astype(float), axis=1) / self.stride
        dx = np.diff(self.values.astype(float), axis=2) / self.stride
        return np.stack(
            [
                (1 + a[0]) * (1 + b[1]) - a[1] * b[0]
                for a in (dy[:, :, :-1], dy[:, :, 1:])
                for b in (dx[:, :-1], dx[:, 1:])
            ]
        )

    def folding(self) -> float:
        """Share of cells in which the Jacobian's determinant is 0 or less somewhere."""
        return float((self.determinants().min(0) <= 0).mean())


@dataclass(frozen=True, slots=True)
class PairFit:
    """How a moving section lies over a reference section; see the module for coordinates."""

    affine: Array
    """float64 (2, 3): coordinates (y, x) in pixels of the reference -> pixels of the moving image."""
    field: Field | None
    """Displacement before the affine map; None where none was accepted."""
    stages: tuple[Stage, ...] = ()
    channel: str = ""
    """What the images were compared by."""
    rotation: float = 0.0
    """Degrees by which the start turned the moving section, counter-clockwise as displayed (y down)."""
    flip: bool = False
    """Whether the moving section was turned over (mirrored)."""
    notes: tuple[str, ...] = ()
    """What the fit could not do, and why."""

    @property
    def folding(self) -> float:
        """Share of cells of the field that fold; 0 without a field."""
        return self.field.folding() if self.field else 0.0

    @classmethod
    def identity(cls, *notes: str) -> Self:
        return cls(IDENTITY.copy(), None, notes=notes)


def map_points(fit: PairFit, points: Array) -> Array:
    """Points of the reference (n, 2), (y, x) in pixels, as points of the moving image (n, 2)."""
    moved = np.asarray(points, float).reshape(-1, 2)
    if fit.field is not None:
        moved = moved + fit.field.at(moved)
    return apply_affine(fit.affine, moved)


def apply_affine(affine: Array, points: Array) -> Array:
    """Points (n, 2) under an affine map (2, 3)."""
    return np.asarray(np.asarray(points, float) @ affine[:, :2].T + affine[:, 2])


def compose(outer: Array, inner: Array) -> Array:
    """The affine map (2, 3) that applies `inner`, then `outer`."""
    return np.hstack([outer[:, :2] @ inner[:, :2], (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]])


def invert_affine(affine: Array) -> Array:
    """The inverse of an affine map (2, 3)."""
    inverse = np.linalg.inv(affine[:, :2])
    return np.hstack([inverse, -(inverse @ affine[:, 2])[:, None]])


def rescaled(affine: Array, reference: Array | float, moving: Array | float) -> Array:
    """An affine map between two pictures that are enlarged, each by factors along y and x."""
    inner, outer = (enlargement(factor) for factor in (reference, moving))
    return compose(outer, compose(affine, invert_affine(inner)))


def enlargement(factor: Array | float) -> Array:
    """The affine map (2, 3) from a picture's pixels to those of the picture enlarged by `factor` along y and x.

    >>> apply_affine(enlargement(2.0), np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    factors = np.broadcast_to(np.asarray(factor, float), 2)
    return np.hstack([np.diag(factors), ((factors - 1) / 2)[:, None]])
