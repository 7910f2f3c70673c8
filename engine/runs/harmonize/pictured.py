"""pictured: images as the report shows them: on a level of few cells, in the generator's units, with the person's own scan."""

from __future__ import annotations

import numpy as np

from ....errors import SlideError
from ....stores.frame import Array, Frame
from ....stores.image import StoredImage
from ...pipeline.job import Job
from ...steps.volumes.align import LaidVolume
from ...steps.volumes.pairs import laid_onto, lies_on
from .measure import measures_of, units_of
from .settings import HarmonizeSettings

LOOKED_AT = 1 << 22
"""Cells of the level that pictures are made of, at most."""


def pictured(job: Job[HarmonizeSettings], image: str, stored: StoredImage) -> tuple[Array, Frame]:
    """(values (C, *axes) of an image or its version in the generator's units, their frame)."""
    level = next((i for i, f in enumerate(stored.frames) if f.box.size <= LOOKED_AT), len(stored.frames) - 1)
    frame = stored.frames[level]
    values: Array = units_of(job, measures_of(job, image)).of(stored.read(frame.box, level))
    return values, frame


def own_scan(job: Job[HarmonizeSettings], image: str, other: str) -> tuple[Array, Array, bool]:
    """(values (C, *axes) of a person's other scan on the cells of `image`, where it has any, whether it had to be aligned).

    Raises SlideError (E_ALIGN) where a volume cannot be registered, and for slides on other grids.
    """
    values, frame = pictured(job, image, job.stored(image))
    other_values, other_frame = pictured(job, other, job.stored(other))
    fixed = LaidVolume(values[0], frame, job.slides[image].placement)
    moving = LaidVolume(other_values[0], other_frame, job.slides[other].placement)
    if lies_on(fixed, moving):
        return other_values, np.ones(frame.shape, bool), False
    if job.modality.planar:
        raise SlideError("it lies on another grid, and slides are not registered.", "E_ALIGN")
    laid, covered = laid_onto(fixed, moving, np.ones(other_frame.shape, bool), name=job.slides[image].name)
    return laid[None], covered, True
