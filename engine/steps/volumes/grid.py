"""Preparation of a volume for a network: resampled to a grid centred on the head, 0 outside the mask, values in [0, 1].

```text
volume (any grid) -- mask --> percentiles inside it -> [0, 1] --> centred on the grid, interpolated once --> uint16
```
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array, Frame

LOW, HIGH = 0.5, 99.5
"""Percentiles of the values inside the mask that are mapped to 0 and 1."""
WHITE = 65535


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid that volumes are resampled to."""

    shape: tuple[int, ...]
    """z, y, x."""
    spacing: tuple[float, ...]
    """Micrometres."""
    whole: bool = False
    """True: centre each volume on the grid, without resampling if its spacing matches. False: centre its mask."""
    exact: bool = False
    """True: move masks by whole cells, without resampling if the volume's spacing matches."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A volume's alignment to a template: a 4 x 4 matrix from template to volume micrometres (z, y, x, 1)."""

    matrix: Array
    centre: tuple[float, ...]
    """Centre of the grid, in the template's micrometres."""


def prepared(values: Array, mask: Array, frame: Frame, grid: Grid, pose: Pose | None = None) -> tuple[Array, Array]:
    """Prepare a volume: uint16 (z, y, x) on the grid, and the two input values that were mapped to 0 and 1.

    `values` (z, y, x) lie on `frame`, and so does the bool `mask`. The grid's centre is `pose.centre`, or without a pose
    the centre of the mask's bounding box (of the volume, if `grid.whole`).
    Raises SlideError (E_DEGENERATE) where the mask is empty or the values are constant.
    """
    low, high = _range(values, mask)
    scaled = np.where(mask, (values.astype(np.float32) - low) / (high - low), 0.0).clip(0.0, 1.0).astype(np.float32)
    if _is_framed(frame, grid, pose):
        cells = _framed(scaled, grid.shape, _first_cell(mask, grid))
    else:
        cells = _interpolated(scaled, frame, grid, pose or _standing(frame, _region(mask, grid)))
    return (cells * WHITE + 0.5).astype(np.uint16), np.array([low, high])


def grid_to_volume(mask: Array, frame: Frame, grid: Grid, pose: Pose | None = None) -> Array:
    """4 x 4 from positions on the grid, in its cells between their edges (z, y, x, 1), to micrometres of the volume's frame.

    Position 0.5 is the centre of the first cell that `prepared` computes with the same arguments.
    """
    out = np.eye(4)
    if _is_framed(frame, grid, pose):
        spacing = np.array(frame.spacing)
        out[:3, :3] = np.diag(spacing)
        out[:3, 3] = frame.origin + np.array(_first_cell(mask, grid)) * spacing
        return out
    pose = pose or _standing(frame, _region(mask, grid))
    out[:3, :3] = np.diag(grid.spacing)
    out[:3, 3] = np.array(pose.centre) - np.array(grid.shape) / 2 * np.array(grid.spacing)
    return np.asarray(pose.matrix @ out)


def _is_framed(frame: Frame, grid: Grid, pose: Pose | None) -> bool:
    """Whether a volume is padded or cropped to the grid, and not interpolated."""
    return (grid.whole or grid.exact) and pose is None and np.allclose(frame.spacing, grid.spacing, rtol=0.01)


def _region(mask: Array, grid: Grid) -> Array:
    """What is centred on the grid: the mask, or all of the volume."""
    return np.ones(mask.shape, bool) if grid.whole else mask


def _range(values: Array, mask: Array) -> tuple[float, float]:
    inside = values[mask].astype(np.float64)
    if not inside.size:
        raise SlideError("the mask of the volume is empty: no voxel would be kept. Use --mask none.", "E_DEGENERATE")
    low, high = np.percentile(inside, (LOW, HIGH))
    if high <= low:  # a binary shape: constant inside the mask, another value outside
        low, high = float(values.min()), float(inside.max())
    if high <= low:
        raise SlideError(
            f"all voxels inside the mask are {low:g}: a constant volume has no content to learn from.", "E_DEGENERATE"
        )
    return float(low), float(high)


def _framed(values: Array, shape: tuple[int, ...], first: tuple[int, ...]) -> Array:
    """Pad with 0 or crop to a shape that begins at a cell of the volume, which may lie before it."""
    out = np.zeros(shape, values.dtype)
    into, take = [], []
    for have, want, start in zip(values.shape, shape, first, strict=True):
        begin, end = max(start, 0), min(start + want, have)
        into.append(slice(begin - start, end - start))
        take.append(slice(begin, end))
    out[tuple(into)] = values[tuple(take)]
    return out


def _first_cell(mask: Array, grid: Grid) -> tuple[int, ...]:
    """The volume's cell that is the grid's first, by axis; below 0 where the grid begins before the volume."""
    sides = list(zip(mask.shape, grid.shape, strict=True))
    if grid.whole:
        return tuple(max(have - want, 0) // 2 - max(want - have, 0) // 2 for have, want in sides)
    return tuple(math.floor(middle - want / 2 + 0.5) for middle, want in zip(_middle(mask), grid.shape, strict=True))


def _middle(mask: Array) -> tuple[float, ...]:
    """The middle of the mask's bounding box, in cells."""
    ends = [np.flatnonzero(mask.any(tuple(a for a in range(3) if a != axis)))[[0, -1]] for axis in range(3)]
    return tuple((float(a) + float(b) + 1) / 2 for a, b in ends)


def _standing(frame: Frame, mask: Array) -> Pose:
    """The identity pose, centred on the mask's bounding box."""
    middle = _middle(mask)
    return Pose(np.eye(4), tuple(o + m * s for o, m, s in zip(frame.origin, middle, frame.spacing, strict=True)))


def _interpolated(values: Array, frame: Frame, grid: Grid, pose: Pose) -> Array:
    """Resample with one trilinear interpolation; where the grid is coarser, smooth first to prevent aliasing."""
    from scipy.ndimage import affine_transform, gaussian_filter

    steps = np.array(grid.spacing)
    spacing = np.array(frame.spacing)
    coarser = np.sqrt(np.maximum((steps / spacing) ** 2 - 1, 0)) / 2.355
    if coarser.max() > 0.1:
        values = gaussian_filter(values, coarser, mode="constant")
    start = np.array(pose.centre) - (np.array(grid.shape) - 1) / 2 * steps  # micrometres of the first cell's centre
    turn, shift = pose.matrix[:3, :3], pose.matrix[:3, 3]
    matrix = turn * steps[None, :] / spacing[:, None]
    offset = (turn @ start + shift - np.array(frame.origin)) / spacing - 0.5
    cells: Array = affine_transform(values, matrix, offset, grid.shape, order=1, mode="constant")
    return cells.clip(0.0, 1.0)
