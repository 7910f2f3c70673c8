"""inverse: points of a moving section as points of the reference, by Newton's method.

The inverse of a field is no field on a grid. A point is sought for which the map gives the point asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .transform import Field, PairFit, apply_affine, invert_affine

Array = npt.NDArray[Any]
MAX_STEPS = 50
TOLERANCE = 1e-3
"""Pixels of the reference within which the map must give the point asked for."""


def unmap_points(fit: PairFit, points: Array) -> Array:
    """Points of the moving image (n, 2), (y, x) in pixels, as points of the reference (n, 2).

    A point whose inverse is not found within `TOLERANCE` is NaN; a field that does not fold has an inverse everywhere.
    """
    goal = apply_affine(invert_affine(fit.affine), np.asarray(points, float).reshape(-1, 2))
    if fit.field is None:
        return goal
    guess = goal - fit.field.at(goal)
    best, error = guess, np.full(len(goal), np.inf)
    for step in range(MAX_STEPS):
        rest = goal - guess - fit.field.at(guess)
        size = np.linalg.norm(rest, axis=1)
        better = size < error
        best, error = np.where(better[:, None], guess, best), np.where(better, size, error)
        if (error <= TOLERANCE / 100).all():
            break
        # A step that overshoots (across the border of a cell) is halved from the best point.
        rest = goal - best - fit.field.at(best)
        move = np.linalg.solve(_jacobian(fit.field, best), rest[..., None])[..., 0]
        share = np.where(better, 1.0, 0.5 ** (1 + step % 6))
        guess = best + share[:, None] * move
    return np.where((error <= TOLERANCE)[:, None], best, np.nan)


def _jacobian(field: Field, points: Array) -> Array:
    """Jacobian of p + field(p) at points, (n, 2, 2), by central differences within a cell."""
    h = 1e-3 * field.stride
    columns = [(field.at(points + step) - field.at(points - step)) / (2 * h) for step in np.eye(2) * h]
    return np.eye(2) + np.stack(columns, -1)
