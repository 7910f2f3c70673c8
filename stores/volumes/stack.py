"""Stack: slices of a DICOM series on one regular grid, or the reason why they form none.

Texts in DICOM are rounded. Slices of one grid may differ by as much as the file's own digits do, as other readers allow;
by more they lie on several grids, and no volume is made by inventing values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import SlideError
from ..frame import Array
from .series import Slice

GAP_TOLERANCE = 0.02
"""Largest relative deviation of a distance between slices from the median distance, beside that of rounded positions."""
MAX_TILT_SINE = 5e-3
"""Largest sine of the angle between the slices' normal and the line through their corners: 0.3 degrees."""
SAME_DIRECTION = 1e-3
"""Largest difference of a direction's components within one grid."""
SAME_SPACING = 1e-3
"""Largest relative difference of the distances of rows and columns within one grid."""
SAME_POSITION = 1e-3
"""Millimetres; slices nearer than this have one position."""
ROUNDED = (1e-1, 1e-2, 1e-3)
"""Millimetres to which positions may have been rounded; whole ones are taken as exact."""
MAX_ROUNDED_SHARE = 0.25
"""Share of the distance of slices that rounding may explain, at most."""
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def stacked(name: str, slices: Sequence[Slice]) -> tuple[list[Slice], Array]:
    """Slices in order along their normal, and the affine of (column, row, slice) to RAS millimetres.

    Raises SlideError: E_NOT_A_VOLUME for one slice; E_GEOMETRY for several grids, gaps, slices at one position, uneven
    distances and a tilted gantry.
    """
    if len(slices) < 2:
        raise SlideError(
            f"{name}: is one slice, so the distance of slices is not known, and it is no volume. Give the folder of its "
            "whole series.",
            "E_NOT_A_VOLUME",
        )
    grids = grids_of(slices)
    if len(grids) > 1:
        raise geometry_error(
            name,
            f"its {len(slices)} slices lie on {len(grids)} grids that differ in size, spacing or direction, "
            "as where localizers were kept with a series",
        )
    normal = normal_of(name, slices[0])
    places = np.array([s.position for s in slices])
    positions = places @ normal
    order = np.argsort(positions, kind="stable")
    ordered, gaps = [slices[i] for i in order], np.diff(positions[order])
    rounding = _rounding(places, normal)
    _check_gaps(name, gaps, rounding)
    first = ordered[0]
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = normal_of(name, first)
    step = (places[order[-1]] - places[order[0]]) / (len(slices) - 1)
    shift = float(np.linalg.norm(step - (step @ normal) * normal))
    length = float(np.linalg.norm(step))
    if shift - rounding / (len(slices) - 1) > MAX_TILT_SINE * length:
        raise geometry_error(
            name,
            f"each slice is shifted against the one below: a gantry tilted by "
            f"{np.degrees(np.arcsin(min(shift / length, 1.0))):.1f} degrees",
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * first.spacing[1], column * first.spacing[0], step
    affine[:3, 3] = places[order[0]]
    return ordered, LPS_TO_RAS @ affine


def grids_of(slices: Sequence[Slice]) -> list[list[Slice]]:
    """The slices by grid: the same size, and spacing and directions that agree but for rounding."""
    grids: list[list[Slice]] = []
    for one in slices:
        fitting = next((grid for grid in grids if _one_grid(grid[0], one)), None)
        if fitting is None:
            grids.append([one])
        else:
            fitting.append(one)
    return grids


def _one_grid(a: Slice, b: Slice) -> bool:
    return (
        (a.rows, a.columns) == (b.rows, b.columns)
        and all(abs(x - y) <= SAME_SPACING * max(abs(x), abs(y)) for x, y in zip(a.spacing, b.spacing, strict=True))
        and all(abs(x - y) <= SAME_DIRECTION for x, y in zip(a.orientation, b.orientation, strict=True))
    )


def normal_of(name: str, one: Slice) -> Array:
    """The unit vector across a slice. Raises SlideError (E_GEOMETRY)."""
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    length = float(np.linalg.norm(normal))
    if not np.isfinite(normal).all() or length < 0.5:
        raise geometry_error(name, "the directions of its rows and columns are invalid")
    return np.asarray(normal / length)


def _check_gaps(name: str, gaps: Array, rounding: float) -> None:
    """Raises SlideError (E_GEOMETRY) for slices at one position, missing ones and uneven distances."""
    median = float(np.median(gaps))
    if duplicates := int((gaps < SAME_POSITION).sum()):
        raise geometry_error(
            name,
            f"{duplicates} of its {len(gaps) + 1} slices have the position of another slice and are no exact copies: several "
            "echoes or points in time in one series",
        )
    tolerance = max(GAP_TOLERANCE * median, min(rounding, MAX_ROUNDED_SHARE * median))
    outliers = np.abs(gaps - median) > tolerance
    if not outliers.any():
        return
    multiples = [gap / median for gap in gaps[outliers]]
    if all(abs(n - round(n)) < max(0.05, tolerance / median) and round(n) > 1 for n in multiples):
        raise geometry_error(
            name,
            f"{sum(round(n) - 1 for n in multiples)} slices are missing: {int(outliers.sum())} of its distances "
            f"are a multiple of the usual {median:.3f} mm",
        )
    raise geometry_error(name, f"the distance of its slices varies from {gaps.min():.3f} to {gaps.max():.3f} mm")


def _rounding(places: Array, normal: Array) -> float:
    """Millimetres by which the distance of two slices may be off as their positions were rounded; 0 for exact ones."""
    for unit in (1.0, *ROUNDED):
        if np.allclose(places / unit, np.rint(places / unit), rtol=0, atol=1e-6):
            return 0.0 if unit == 1.0 else float(1.05 * unit * np.abs(normal).sum())
    return 0.0


def geometry_error(name: str, why: str) -> SlideError:
    """The error for slices that form no volume."""
    return SlideError(
        f"{name}: {why}; no regular volume can be made of it without inventing values. Separate the series, or resample it "
        "with dcm2niix first.",
        "E_GEOMETRY",
    )


def short_of(slices: Sequence[Slice]) -> str:
    """A note where a series has fewer slices than its files say; gaps inside are seen, the ends are not. Empty otherwise."""
    expected = max(one.expected for one in slices)
    if expected <= len(slices):
        return ""
    return (
        f"its files say that the acquisition has {expected} images, and {len(slices)} are here: slices may be missing at "
        "an end"
    )
