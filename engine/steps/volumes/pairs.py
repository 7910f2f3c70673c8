"""pairs: two scans of one subject in register: the other one is laid onto the first one's grid with one interpolation."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform

from ....stores.frame import Array
from ....stores.placement import Placement
from ....stores.regrid import is_same_grid
from .align import LaidVolume, rigid_between

ORDER = 3
"""Cubic splines: linear interpolation would blur the scan that is taken for the truth."""
TURN, SHIFT = 1e-4, 10.0
"""Largest differences of two placements that are the same: of a rotation's entries, and in micrometres."""


def lies_on(one: LaidVolume, other: LaidVolume) -> bool:
    """Whether two volumes have one grid, at one place in the scanner."""
    return is_same_grid(one.frame, other.frame) and _same_place(one.place, other.place)


def laid_onto(fixed: LaidVolume, moving: LaidVolume, mask: Array, *, name: str) -> tuple[Array, Array]:
    """(values float32, mask bool) of `moving` on the grid of `fixed`, after a rigid registration; 0 and False beyond its edge.

    Volumes on one grid are taken to be in register, and nothing is interpolated. `mask` belongs to `moving`. `name` is what
    messages call the fixed volume. Raises SlideError (E_ALIGN) where registration fails.
    """
    if lies_on(fixed, moving):
        return moving.values.astype(np.float32), mask
    to_moving = rigid_between(fixed, moving, name)
    matrix = np.linalg.inv(_cells_to_world(moving)) @ to_moving @ _cells_to_world(fixed)
    where = {"matrix": matrix[:3, :3], "offset": matrix[:3, 3], "output_shape": fixed.frame.shape, "mode": "constant"}
    values = affine_transform(moving.values.astype(np.float32), order=ORDER, **where)
    low, high = moving.values.min(), moving.values.max()  # splines overshoot
    return values.clip(low, high), affine_transform(mask.astype(np.uint8), order=0, **where) > 0


def _cells_to_world(volume: LaidVolume) -> Array:
    return volume.place.of_cells(volume.frame)


def _same_place(one: Placement, other: Placement) -> bool:
    off = np.abs(one.matrix - other.matrix)
    return bool(off[:3, :3].max() < TURN and off[:3, 3].max() < SHIFT)
