"""stain: how a slide of a run is stained, from its overview and its tissue mask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...models.stains import MIN_TISSUE_MM2
from ...stores.frame import Array, Frame
from ..pipeline.documents import StainRuns, Untold
from ..pipeline.job import Job
from ..pipeline.record import ImageRecord
from ..pipeline.settings import RunSettings
from .convert.geometry import coarse
from .convert.overview import overview
from .convert.tissue import glass_of, tissue

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile

WHY_UNTOLD: Mapping[Untold, str] = {
    "tissue": f"less than {MIN_TISSUE_MM2:g} mm² of stained tissue",
    "channels": "other channels than 8-bit colours",
    "unreadable": "it cannot be opened as a slide with a valid spacing; if it is rejected, the reason follows",
    "crash": "the file ends the process that reads it",
    "timeout": "reading it took too long; at another time it may not",
}
"""Why a slide's stain is not told by its colours, as text."""
MAX_PIXELS = 200_000
"""Most pixels of tissue that a profile is made of: evenly spaced in the mask's order."""


def is_coloured(record: ImageRecord) -> bool:
    """Whether the image is a plane of 8-bit colours: of others nobody can tell the stain."""
    return record.channels == 3 and record.dtype == "uint8" and len(record.shape) == 2


def slide_stain(job: Job[RunSettings], slide: str) -> StainProfile | None:
    """The slide's stain profile at the spacing of the tissue mask (about 8 um).

    None where its stain cannot be told: no 8-bit RGB image (volumes, fluorescence), or less than MIN_TISSUE_MM2 of stained
    tissue. The same rule decides which slides are stained alike and which are normalised.
    """
    from ...models.stains.density import MIN_WHITE, WHITE, white_point

    record = job.slides[slide]
    if not is_coloured(record):
        return None
    target = record.frame.coarsen(coarse(record.frame))
    picture, _ = overview(job.stored(slide), target)
    glass = glass_of(job, slide)  # measured before the store left pixels out
    white = white_point(picture.reshape(3, -1).T) if glass is None else np.clip(glass, MIN_WHITE, WHITE)
    pixels = picture[:, tissue(job, slide).values].T
    step = -(-max(len(pixels), 1) // MAX_PIXELS)
    return profile_of(pixels[::step], white, cells(MIN_TISSUE_MM2, target) // step)


def profile_of(pixels_NC: Array, white_C: Array, min_pixels: int) -> StainProfile | None:
    """`stain_profile`, or None with fewer than `min_pixels` that hold stain."""
    from ...models.stains.profile import stain_profile

    if min_pixels and stained_pixels(pixels_NC, white_C) < min_pixels:
        return None
    return stain_profile(pixels_NC, white_C)


def stained_pixels(pixels_NC: Array, white_C: Array) -> int:
    """Number of the pixels that hold stain."""
    from ...models.stains.density import optical_density, stained

    return len(stained(optical_density(pixels_NC, white_C)))


def cells(mm2: float, frame: Frame) -> int:
    """Number of cells of a frame that make an area."""
    return round(mm2 * 1e6 / math.prod(frame.spacing))


def untold_names(stains: StainRuns, reason: Untold) -> list[str]:
    """Names of the slides whose stain is not told for this reason, each with its area where that is too small."""
    areas = {i: f" ({mm2:.2g} mm²)" for i, mm2 in stains.stained_mm2.items()}
    untold = (i for i, why in stains.untold.items() if why == reason)
    return [f"{name}{areas.get(i, '')}" for i in untold for name in stains.named([i])]
