"""Placement: where the cells of a volume lie in its scanner, for grids that are turned against the scanner's axes.

```text
cell (z, y, x)  --Frame-->  position along the grid's own axes, um  --Placement-->  Superior, Anterior, Right of the scanner, um
```
A Frame knows no directions. For a straight volume both positions are the same; an oblique one is turned about its first voxel,
whose position both agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .frame import Array, Frame

Affine = tuple[tuple[float, ...], ...]
"""4 x 4, from indices (i, j, k, 1) to millimetres to the Right, Anterior and Superior."""
STRAIGHT_CELLS = 1e-2
"""A grid is straight if no corner of it lies further than this from where its frame has it, in cells."""
_REVERSED = np.eye(4)[[2, 1, 0, 3]]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The map from positions along a grid's own axes to the scanner's."""

    matrix: Array
    """4 x 4, float64, micrometres, axes z, y, x in both; the identity for a straight grid."""
    straight: bool

    def to_world(self, positions: Array) -> Array:
        """Positions (..., 3) along the grid's axes -> (..., 3) in the scanner; both z, y, x in micrometres."""
        return positions if self.straight else positions @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_grid(self, places: Array) -> Array:
        """The inverse of `to_world`."""
        if self.straight:
            return places
        back = np.linalg.inv(self.matrix)
        return np.asarray(places @ back[:3, :3].T + back[:3, 3])

    def of_cells(self, frame: Frame) -> Array:
        """4 x 4 from cells (z, y, x, 1) of a frame on this grid, at any level, to micrometres (z, y, x) in the scanner."""
        to_grid = np.diag([*frame.spacing, 1.0])
        to_grid[:3, 3] = np.array(frame.origin) + np.array(frame.spacing) / 2
        return np.asarray(self.matrix @ to_grid)

    def canonical_affine(self, frame: Frame) -> Affine:
        """The canonical affine of a frame on this grid (millimetres, axes x, y, z)."""
        return affine_from_cells(self.of_cells(frame))


STRAIGHT = Placement(np.eye(4), True)


def placement(frame: Frame, affine: Affine) -> Placement:
    """The placement of a grid with this frame and this canonical affine (indices x, y, z; see `stores.volumes.orient`).

    An empty affine places a grid that states none, such as a slide: it is straight.
    """
    if not affine:
        return STRAIGHT
    to_world, to_grid = cells_to_world(affine), STRAIGHT.of_cells(frame)
    corners = np.array([[*corner, 1] for corner in product(*((0, n - 1) for n in frame.shape))])
    off = np.abs(corners @ (to_world - to_grid).T)[:, :3].max()
    if off <= STRAIGHT_CELLS * min(frame.spacing):
        return STRAIGHT
    return Placement(to_world @ np.linalg.inv(to_grid), False)


def cells_to_world(affine: Affine) -> Array:
    """A canonical affine as 4 x 4 from cells (z, y, x, 1) to micrometres (z, y, x) in the scanner."""
    return np.asarray(_REVERSED @ np.array(affine, np.float64) @ _REVERSED * [[1e3], [1e3], [1e3], [1]])


def turned_by(affine: Affine) -> float:
    """Degrees of the rotation between a canonical affine's axes and the scanner's.

    >>> turned_by(((2.0, 0.0, 0.0, 5.0), (0.0, 2.0, 0.0, 0.0), (0.0, 0.0, 3.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
    0.0
    """
    columns = np.array(affine, np.float64)[:3, :3]
    cosine = (np.trace(columns / np.linalg.norm(columns, axis=0)) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def affine_from_cells(matrix: Sequence[Sequence[float]] | Array) -> Affine:
    """The inverse of `cells_to_world`, of a 3 x 4 or 4 x 4 matrix. Raises ValueError for another shape."""
    rows = np.array(matrix, np.float64)
    if rows.shape not in ((3, 4), (4, 4)):
        raise ValueError(f"an affine of a volume has 3 or 4 rows of 4 numbers, not {rows.shape}")
    whole = np.vstack([rows[:3], [0.0, 0.0, 0.0, 1.0]])
    back = _REVERSED @ (whole / [[1e3], [1e3], [1e3], [1]]) @ _REVERSED
    return tuple(tuple(float(v) for v in row) for row in back)
