"""field: displacements on the centres of a grid's cells, linear between them, and the position that one brings to another.

A field goes on outside of its grid as at its rim, so the map position + displacement is bilinear everywhere: in the cells
between its samples, and in those that a rim of far samples would add. Its inverse is no field on a grid and is sought point
by point: by Newton's method, and where that stalls (on the border of two cells) by solving the equation of each cell that may
hold the point. Without a fold there is exactly one; where a field folds there are several, and one of them is returned.
"""

from __future__ import annotations

import numpy as np

from ..frame import Array, Frame

MAX_STEPS = 40
"""Steps of Newton's method, at most."""
TOLERANCE = 1e-6
"""Distance within which the map must give the position asked for, in cells of the field's grid."""
MAX_PAIRS = 1 << 21
"""Pairs of a position and a cell that are compared at a time."""


def displacement_at(field: Array, grid: Frame, points: Array) -> Array:
    """Displacements (n, 2) at positions (n, 2), in micrometres, of a field (2, *grid.shape)."""
    (u00, u01, u10, u11), (wy, wx) = _corners(field, grid, points)
    return np.asarray(((u00 * (1 - wx) + u01 * wx) * (1 - wy) + (u10 * (1 - wx) + u11 * wx) * wy).T)


def undisplaced(field: Array, grid: Frame, goal: Array) -> Array:
    """The positions (n, 2) that lie on `goal` (n, 2) with their displacements added; NaN where none is found."""
    limit = TOLERANCE * min(grid.spacing)
    found = np.full(goal.shape, np.nan)
    left = np.flatnonzero(np.isfinite(goal).all(1))
    best = goal[left]
    rest = -displacement_at(field, grid, best)
    length, share = np.hypot(*rest.T), np.ones(len(left))
    for _ in range(MAX_STEPS):
        done = length <= limit
        found[left[done]] = best[done]
        left, best, rest, length, share = (values[~done] for values in (left, best, rest, length, share))
        if not len(left):
            return found
        guess = best + share[:, None] * _newton(field, grid, best, rest)
        error = goal[left] - guess - displacement_at(field, grid, guess)
        size = np.hypot(*error.T)
        better = size < length
        best, rest = (np.where(better[:, None], new, old) for new, old in ((guess, best), (error, rest)))
        length = np.where(better, size, length)
        share = np.where(better, 1.0, np.maximum(share / 2, 2.0**-6))
    found[left] = _in_cells(field, grid, goal[left], limit * 10)
    return found


def _corners(field: Array, grid: Frame, points: Array) -> tuple[tuple[Array, ...], Array]:
    """The samples around each position, four (2, n), and how far it lies between them along y and x, (2, n), 0 to 1."""
    at = (points - np.array(grid.origin)) / np.array(grid.spacing) - 0.5
    at = np.clip(np.nan_to_num(at, nan=0.0), 0, np.array(grid.shape) - 1)
    low = np.minimum(np.floor(at).astype(np.int64), np.maximum(np.array(grid.shape) - 2, 0))
    (y0, x0), (y1, x1) = low.T, np.minimum(low + 1, np.array(grid.shape) - 1).T
    return (field[:, y0, x0], field[:, y0, x1], field[:, y1, x0], field[:, y1, x1]), (at - low).T


def _newton(field: Array, grid: Frame, points: Array, rest: Array) -> Array:
    """The step (n, 2) that brings positions nearer by `rest` if the map goes on as in their cell; bounded where it is steep."""
    (u00, u01, u10, u11), (wy, wx) = _corners(field, grid, points)
    at = ((points - np.array(grid.origin)) / np.array(grid.spacing) - 0.5).T
    inside_y, inside_x = ((at[i] >= 0) & (at[i] <= grid.shape[i] - 1) for i in (0, 1))
    along_y = ((u10 - u00) * (1 - wx) + (u11 - u01) * wx) / grid.spacing[0] * inside_y
    along_x = ((u01 - u00) * (1 - wy) + (u11 - u10) * wy) / grid.spacing[1] * inside_x
    a, b, c, d = 1 + along_y[0], along_x[0], along_y[1], 1 + along_x[1]
    det = a * d - b * c
    det = np.where(np.abs(det) < 1e-3, 1e-3, det)
    return np.stack([(d * rest[:, 0] - b * rest[:, 1]) / det, (a * rest[:, 1] - c * rest[:, 0]) / det], 1)


def _in_cells(field: Array, grid: Frame, goal: Array, limit: float) -> Array:
    """The positions of `undisplaced`, from the equations of all cells whose image may hold the goal."""
    spacing = np.array(grid.spacing)
    extent = float((np.array(grid.shape) * spacing).sum())
    reach = 2 * (np.abs(goal).max() + np.abs(field).max() + np.abs(grid.origin).max()) + extent
    nodes = [np.concatenate([[-reach], grid.centres(i), [reach]]) for i in (0, 1)]
    from_yx = np.stack(np.meshgrid(*nodes, indexing="ij"))
    to_yx = from_yx + np.pad(field.astype(np.float64), [(0, 0), (1, 1), (1, 1)], mode="edge")
    quads = [
        np.stack([p[:, :-1, :-1], p[:, 1:, :-1], p[:, :-1, 1:], p[:, 1:, 1:]]).reshape(4, 2, -1).transpose(2, 0, 1)
        for p in (from_yx, to_yx)
    ]
    low, high = quads[1].min(1) - limit, quads[1].max(1) + limit
    found = np.full(goal.shape, np.nan)
    for some in np.array_split(np.arange(len(goal)), max(1, len(goal) * len(low) // MAX_PAIRS)):
        aims = goal[some, None]
        point, cell = np.nonzero(((aims >= low) & (aims <= high)).all(2))
        weights = _solved(quads[1][cell], goal[some[point]])
        start, stop = quads[0][cell, 0], quads[0][cell, 3]
        for solution in weights:
            at = start + solution * (stop - start)
            error = np.hypot(*(goal[some[point]] - at - displacement_at(field, grid, at)).T)
            good = error <= limit
            found[some[point[good]]] = at[good]
    return found


def _solved(quads: Array, goal: Array) -> tuple[Array, Array]:
    """Weights along y and x at which bilinear maps (n, 4, 2) of a cell reach `goal`: both roots, clipped to the cell.

    With e = goal - q00, b and c the edges along y and x, and d the twist: (e - s b) x (c + s d) = 0.
    """
    e, b, c = goal - quads[:, 0], quads[:, 1] - quads[:, 0], quads[:, 2] - quads[:, 0]
    d = quads[:, 3] - quads[:, 1] - c
    square, linear, constant = -_cross(b, d), _cross(e, d) - _cross(b, c), _cross(e, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = -0.5 * (linear + np.copysign(np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0)), linear))
        roots = [np.nan_to_num(np.clip(root, 0, 1)) for root in (constant / half, half / square)]
        pairs = []
        for s in roots:
            edge, rest = c + s[:, None] * d, e - s[:, None] * b
            t = np.nan_to_num(np.clip((rest * edge).sum(1) / (edge**2).sum(1), 0, 1))
            pairs.append(np.stack([s, t], 1))
    return pairs[0], pairs[1]


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
