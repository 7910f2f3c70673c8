"""planes: three orthogonal planes of a stored volume, with labels on them, for maps and reports."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stores.cells import LabelCells
from ....stores.frame import Array, Frame
from ...pipeline.job import Job
from ...pipeline.listing import first_of
from ...show.orientation import AXIAL, SEEN
from ...show.picture import Cells, Picture
from ...show.triptych import triptych
from .mask import mask_of
from .settings import PreparedSettings

MAX_DRAWN_SIDE = 256
"""Voxels along a drawn volume, at most."""


def planes_of(job: Job[Any], volume: str, labels: Array, cells: Frame) -> tuple[Picture, Cells]:
    """Three orthogonal planes of a volume with its labels, through the centroid of the labelled cells."""
    image = job.image(volume)
    level = next((i for i, f in enumerate(image.frames) if max(f.shape) <= MAX_DRAWN_SIDE), len(image.frames) - 1)
    frame = image.frames[level]
    grey = (image.read(frame.box, level)[0] >> 8).astype(np.uint8)
    centre = [o + m * s for o, m, s in zip(cells.origin, centroid(labels), cells.spacing, strict=True)]
    return triptych(grey, frame, labels, cells, centre=centre, sided=not job.slides[volume].assumed_orientation)


def unsided(job: Job[Any]) -> list[str]:
    """Names of the run's volumes whose files do not state which side is which."""
    return [record.name for record in job.slides.values() if record.assumed_orientation]


def seen(job: Job[Any]) -> str:
    """Which side is which on the planes of the run's volumes, and of which of them nothing states it."""
    if not (names := unsided(job)):
        return SEEN
    unknown = f"Nothing states which side is which of {first_of(names)}: left and right may be exchanged; no letters are drawn."
    return unknown if len(names) == len(job.slides) else f"{SEEN} {unknown}"


def axial(job: Job[Any]) -> str:
    """The same of axial planes alone."""
    names = unsided(job)
    of = f"{len(names):,} of {len(job.slides):,} volumes" if len(names) < len(job.slides) else "all volumes"
    return f"{AXIAL} Of {of} that is assumed, as their files do not state it." if names else AXIAL


def centroid(labels: Array) -> list[float]:
    """The centroid of the labelled cells along each axis, in cells; of all cells where none is labelled.

    From counts along each axis: the indices of all labelled cells would take 24 bytes a cell.
    """
    if not labels.any():
        return [length / 2 for length in labels.shape]
    labelled, axes = labels != 0, range(labels.ndim)
    along = [np.count_nonzero(labelled, axis=tuple(other for other in axes if other != axis)) for axis in axes]
    return [float(np.average(np.arange(len(counts)) + 0.5, weights=counts)) for counts in along]


def mask_name(job: Job[Any]) -> str:
    """What the mask of the run's volumes is, in words; empty where it has none."""
    mask = job.settings.mask if isinstance(job.settings, PreparedSettings) else "head"
    return {"head": "head masks", "given": "given masks", "none": ""}.get(mask, "the mask of --mask")


def is_stored(job: Job[Any]) -> bool:
    """Whether the masks of the run's images are what labels/tissue holds; else they are those of files that the user gave."""
    return not isinstance(job.settings, PreparedSettings) or job.settings.mask == "head"


def masked_planes(job: Job[Any], volume: str) -> tuple[Picture, Cells, float]:
    """Planes of a volume with the mask that the run keeps of it, 1 inside, and its share of the volume.

    Raises SlideError where its file is gone.
    """
    if not is_stored(job):
        record = job.slides[volume]
        mask, frame = mask_of(job, record), record.frame
        return (*planes_of(job, volume, mask.astype(np.uint8), frame), float(mask.mean()))
    stored = LabelCells.open(job.folder.label(volume, "tissue"))
    mask = stored.read_all() == 1
    return (*planes_of(job, volume, mask.astype(np.uint8), stored.frame), float(mask.mean()))
