"""Orientation: a file's axes are exchanged and mirrored to canonical ones: x to Right, y to Anterior, z to Superior.

No value is interpolated: an oblique scan keeps its grid, and each axis is named after the nearest direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...errors import SlideError
from ..frame import Array, Frame
from ..placement import Affine

MAX_SHEAR_COSINE = 5e-3
"""Largest cosine of the angle between two axes of a rectangular grid: 0.3 degrees off."""
OBLIQUE_SINE = 0.05
"""Sine of the angle above which a grid is oblique."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Turn:
    """Mapping from a file's cells (i, j, k) to canonical cells (z, y, x)."""

    axes: tuple[int, ...]
    """Axes of the file that become z, y and x."""
    mirrored: tuple[bool, ...]
    """Whether z, y and x run against the file's axis."""
    frame: Frame
    """Frame in micrometres; the origin is the lower edge of the first cell."""
    oblique: bool
    affine: Affine
    """The canonical affine, from canonical indices (x, y, z, 1) to millimetres Right, Anterior, Superior."""

    def into(self, at: tuple[slice, ...], lengths: tuple[int, ...]) -> tuple[slice, ...]:
        """Slices (i, j, k) of the file for canonical slices (z, y, x)."""
        found = [slice(0)] * 3
        for one, axis, back in zip(at, self.axes, self.mirrored, strict=True):
            n = lengths[axis]
            found[axis] = slice(n - one.stop, n - one.start) if back else one
        return tuple(found)

    def from_file(self, at: tuple[slice, ...], lengths: tuple[int, ...]) -> tuple[slice, ...]:
        """Canonical slices (z, y, x) of slices (i, j, k) of the file: the way back of `into`."""
        turned = zip(self.axes, self.mirrored, strict=True)
        return tuple(
            slice(lengths[axis] - at[axis].stop, lengths[axis] - at[axis].start) if back else at[axis]
            for axis, back in turned
        )

    def out_of(self, cells: Array) -> Array:
        """(channel, i, j, k) to (channel, z, y, x)."""
        turned = cells.transpose(0, *(axis + 1 for axis in self.axes))
        return turned[(slice(None), *(slice(None, None, -1 if back else 1) for back in self.mirrored))]

    def into_file(self, cells: Array) -> Array:
        """(channel, z, y, x) to (channel, i, j, k): the way back of `out_of`."""
        turned = cells[(slice(None), *(slice(None, None, -1 if back else 1) for back in self.mirrored))]
        return turned.transpose(0, *(self.axes.index(axis) + 1 for axis in range(3)))

    def in_file_order(self, values: Sequence[_T]) -> tuple[_T, ...]:
        """Values of the axes z, y and x in the order of the file's axes i, j and k."""
        return tuple(values[self.axes.index(axis)] for axis in range(3))

    def file_affine(self, affine: Affine, shape: Sequence[int]) -> Affine:
        """The affine along the file's axes of a grid with this canonical affine and this canonical shape (z, y, x)."""
        indices = np.zeros((4, 4))  # from (i, j, k, 1) to canonical (x, y, z, 1)
        indices[3, 3] = 1
        for row, (axis, back, length) in enumerate(zip(self.axes, self.mirrored, shape, strict=True)):
            indices[2 - row, axis] = -1 if back else 1
            indices[2 - row, 3] = length - 1 if back else 0
        return tuple(tuple(float(v) + 0.0 for v in row) for row in np.array(affine) @ indices)

    def levels(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        """Frames of all levels along the file's axes (named z, y, x for k, j, i) -> canonical frames."""
        if self.axes == (2, 1, 0) and not any(self.mirrored):
            return tuple(frames)
        return tuple(self._level(frame, frames[0]) for frame in frames)

    def _level(self, frame: Frame, finest: Frame) -> Frame:
        shape, spacing, origin = [], [], []
        for n, (axis, back) in enumerate(zip(self.axes, self.mirrored, strict=True)):
            file = 2 - axis
            shape.append(frame.shape[file])
            spacing.append(frame.spacing[file])
            ends = [f.origin[file] + (f.shape[file] * f.spacing[file] if back else 0) for f in (finest, frame)]
            offset = ends[0] - ends[1] if back else ends[1] - ends[0]
            origin.append(round(self.frame.origin[n] + offset, 9) + 0.0)
        return Frame(("z", "y", "x"), tuple(shape), tuple(spacing), tuple(origin))


def canonical(name: str, affine: Affine, shape: tuple[int, ...]) -> Turn:
    """The turn of an affine. Raises SlideError: E_NOT_A_VOLUME for one slice, E_AFFINE for cells that are not rectangular."""
    if 1 in shape:
        raise SlideError(
            f"{name}: is one slice ({' x '.join(map(str, shape))}), and a volume has several along each axis. Give "
            "the file of the whole series; a picture of one plane is a slide or a film.",
            "E_NOT_A_VOLUME",
        )
    matrix, lengths, unit = _checked(name, affine)
    from nibabel.orientations import inv_ornt_aff, io_orientation

    ornt = io_orientation(matrix)
    turned = matrix @ inv_ornt_aff(ornt, shape)
    order = _order(ornt)
    spacing = tuple(float(f"{1e3 * lengths[axis]:.7g}") for axis in order)
    first = [1e3 * turned[world, 3] for world in (2, 1, 0)]
    origin = tuple(round(float(t - s / 2), 6) + 0.0 for t, s in zip(first, spacing, strict=True))
    frame = Frame(("z", "y", "x"), tuple(int(shape[axis]) for axis in order), spacing, origin)
    off = 1 - np.abs(unit).max(axis=0).min()
    mirrored = tuple(bool(ornt[axis, 1] < 0) for axis in order)
    whole = tuple(tuple(float(value) + 0.0 for value in row) for row in turned)
    return Turn(tuple(order), mirrored, frame, bool(off > OBLIQUE_SINE**2 / 2), whole)


def turn_to(name: str, affine: Affine, shape: Sequence[int]) -> Turn:
    """The turn of a file's affine, from the canonical shape (z, y, x). Raises SlideError as `canonical` does.

    >>> turn_to("a.nii", ((0, 0, 2, 0), (-2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 0, 1)), (5, 6, 7)).in_file_order((5, 6, 7))
    (6, 5, 7)
    """
    from nibabel.orientations import io_orientation

    order = _order(io_orientation(_checked(name, affine)[0]))
    return canonical(name, affine, tuple(shape[order.index(axis)] for axis in range(3)))


def directions(affine: Affine) -> tuple[str, ...]:
    """The direction that each axis of a file grows to, as one letter of L, R, P, A, I and S.

    >>> directions(((0, 0, 2, 0), (-2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 0, 1)))
    ('P', 'S', 'R')
    """
    from nibabel.orientations import aff2axcodes

    return tuple(map(str, aff2axcodes(np.array(affine))))


def _order(ornt: Array) -> list[int]:
    """Axes of the file that become z, y and x."""
    return [int(np.flatnonzero(ornt[:, 0] == world)[0]) for world in (2, 1, 0)]


def _checked(name: str, affine: Affine) -> tuple[Array, Array, Array]:
    """An affine that places rectangular cells, their lengths, and its columns at the length 1. Raises SlideError (E_AFFINE)."""
    matrix = np.array(affine, np.float64)
    columns = matrix[:3, :3]
    if not np.isfinite(matrix).all():
        raise _affine_error(name, "holds numbers that are not finite")
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(columns, axis=0)
    if not (lengths > 0).all() or not (lengths < 1e6).all():
        raise _affine_error(name, f"has cells of {' x '.join(f'{n:.4g}' for n in lengths)} mm")
    unit = columns / lengths
    if abs(np.linalg.det(unit)) < 1e-3:
        raise _affine_error(name, "is singular: two of its axes point the same way")
    worst = np.abs(unit.T @ unit - np.eye(3)).max()
    if worst > MAX_SHEAR_COSINE:
        raise _affine_error(
            name, f"is sheared: two axes meet at {np.degrees(np.arccos(worst)):.1f} degrees instead of 90"
        )
    return matrix, lengths, unit


def _affine_error(name: str, why: str) -> SlideError:
    return SlideError(
        f"{name}: its affine, which states where voxels lie, {why}: distances in it would have no meaning. Correct the "
        "header, or resample the volume to a rectangular grid.",
        "E_AFFINE",
    )
