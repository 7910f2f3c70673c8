"""The mask of a volume: read from a file, computed, or none."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import SlideError
from ....stores.downsample import every_second, halve
from ....stores.frame import Array
from ....stores.image import halving
from ....stores.remote import to_path
from ...pipeline.documents import read_run
from ...pipeline.job import Job
from ...pipeline.record import ImageRecord
from ..convert.geometry import coarse
from ..convert.tissue import tissue


def mask_of(job: Job[Any], record: ImageRecord) -> Array:
    """The voxels of a volume to keep, bool (z, y, x). Raises SlideError (E_NO_MASK) where a required mask is missing."""
    setting = job.settings.mask
    if setting == "none":
        return np.ones(record.shape, bool)
    if setting == "head":
        return _spread(tissue(job, record.id).values, record.shape, coarse(record.frame))
    return mask_from(_given(job, record) if setting == "given" else to_path(setting), record)


def given_mask(job: Job[Any], record: ImageRecord) -> Array | None:
    """The mask that the list or a BIDS tree names for a volume, as a brain's, bool (z, y, x); None where none is named.

    Raises SlideError where the named file cannot be read.
    """
    try:
        path = _given(job, record)
    except SlideError as error:
        if error.code == "E_NO_MASK":
            return None
        raise
    return mask_from(path, record)


def given_mask_on(job: Job[Any], record: ImageRecord, shape: tuple[int, ...]) -> Array | None:
    """`given_mask` on a coarser grid over the same volume, of this shape: its value at the middle of each cell."""
    mask = given_mask(job, record)
    if mask is None:
        return None
    at = [
        np.minimum(((np.arange(m) + 0.5) * n / m).astype(int), n - 1) for n, m in zip(record.shape, shape, strict=True)
    ]
    return np.asarray(mask[np.ix_(*at)])


def mask_from(path: Path, record: ImageRecord) -> Array:
    """A mask's file on the voxels of a volume, bool (z, y, x); outside of the mask False."""
    from ....stores.volumes.reader import open_volume

    with open_volume(path) as mask:
        frame, place = mask.frames[0], mask.placement
        cells = mask.read(frame.box)[0] > 0
    if not (place.straight and record.placement.straight):
        return _turned(cells, place.of_cells(frame), record)
    axes = []
    for axis in range(3):
        centres = record.frame.centres(axis)
        axes.append(np.floor((centres - frame.origin[axis]) / frame.spacing[axis] + 1e-6).astype(int))
    out = np.zeros(record.shape, bool)
    inside = [np.flatnonzero((a >= 0) & (a < n)) for a, n in zip(axes, frame.shape, strict=True)]
    out[np.ix_(*inside)] = cells[np.ix_(*[a[i] for a, i in zip(axes, inside, strict=True)])]
    return out


def _turned(cells: Array, to_world: Array, record: ImageRecord) -> Array:
    """The mask's nearest cell of each voxel, where one of the two grids is oblique; outside of the mask False.

    `to_world` is the mask's 4 x 4 from cells to the scanner, in which the two grids meet."""
    from scipy.ndimage import affine_transform

    matrix = np.linalg.inv(to_world) @ record.placement.of_cells(record.frame)
    out = affine_transform(
        cells.astype(np.uint8), matrix[:3, :3], matrix[:3, 3], record.shape, order=0, mode="grid-constant"
    )
    return np.asarray(out > 0)


def _spread(mask: Array, shape: tuple[int, ...], factors: tuple[int, ...]) -> Array:
    """Upsample a coarse mask to `shape` by repeating each cell `factors` times."""
    return np.asarray(mask[np.ix_(*[np.arange(n) // f for n, f in zip(shape, factors, strict=True)])])


def _head(values: Array, record: ImageRecord) -> Array:
    """The head mask that the stage `convert` would compute for the volume."""
    from ....models.masks.head_mask import head_mask

    picture, frame, factors = values[None], record.frame, coarse(record.frame)
    while frame.shape != record.frame.coarsen(factors).shape:
        step = halving(frame)
        picture, frame = (every_second if record.labels else halve)(picture, step), frame.coarsen(step)
    if record.labels:
        return _spread(picture[0] != 0, record.shape, factors)
    return _spread(head_mask(picture[0], frame.spacing), record.shape, factors)


def _given(job: Job[Any], record: ImageRecord) -> Path:
    """Path of a given mask: from the column `mask`, else beside the volume, else in `derivatives/` as BIDS defines it."""
    path = to_path(record.path)
    if column := record.columns.get("mask"):
        sibling = path.parent / column
        return sibling if sibling.exists() else to_path(read_run(job.folder).input) / column
    stem = path.name.removesuffix(".gz").removesuffix(".nii").rsplit("_", 1)[0]
    derivatives = to_path(read_run(job.folder).input) / "derivatives"
    subfolder = glob.escape(Path(record.name).parent.as_posix())
    for name in (f"{glob.escape(stem)}_desc-brain_mask.nii*", f"{glob.escape(stem)}_*_desc-brain_mask.nii*"):
        for candidate in (*sorted(path.parent.glob(name)), *sorted(derivatives.glob(f"*/{subfolder}/{name}"))):
            return candidate
    raise SlideError(
        f"{path.name} has no mask: its row names none in a column `mask`, and neither the volume's folder nor "
        f"derivatives/ holds a {stem}_desc-brain_mask.nii.gz. Add a mask, or use --mask head.",
        "E_NO_MASK",
    )
