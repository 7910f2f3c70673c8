"""folding: a field that lays two points of the reference on one is damped until it does not."""

from __future__ import annotations

from dataclasses import replace

from .transform import Field

LEAST_DETERMINANT = 0.05
"""Least determinant of the Jacobian of an accepted field: tissue is not compressed to a twentieth of its area."""
DAMPING = 0.8
MAX_STEPS = 12


def unfolded(field: Field) -> tuple[Field | None, float]:
    """(the field damped until its determinants are at least `LEAST_DETERMINANT`, the factor that this took).

    None where it still folds after `MAX_STEPS`.
    """
    factor = 1.0
    for _ in range(MAX_STEPS):
        damped = field if factor == 1.0 else replace(field, values=field.values * field.values.dtype.type(factor))
        if damped.determinants().min() >= LEAST_DETERMINANT:
            return damped, factor
        factor *= DAMPING
    return None, 0.0
