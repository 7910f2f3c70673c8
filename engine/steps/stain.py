"""stain: how a slide of a run is stained, from its overview and its tissue mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from .convert.geometry import coarse
from .convert.overview import overview
from .convert.tissue import glass_of, tissue

if TYPE_CHECKING:
    from ...models.stains.profile import StainProfile

MAX_PIXELS = 200_000
"""Most pixels of tissue that a profile is made of: evenly spaced in the mask's order."""


def slide_stain(job: Job[RunSettings], slide: str) -> StainProfile | None:
    """The slide's stain profile at the spacing of the tissue mask (about 8 um).

    None where there is nothing to say: no 8-bit RGB image (volumes, fluorescence), or too little stain in its tissue.
    """
    from ...models.stains.density import MIN_WHITE, WHITE, white_point
    from ...models.stains.profile import stain_profile

    record = job.slides[slide]
    if record.channels != 3 or record.dtype != "uint8" or len(record.shape) != 2:
        return None
    target = record.frame.coarsen(coarse(record.frame))
    picture, _ = overview(job.stored(slide), target)
    glass = glass_of(job, slide)  # measured before the store left pixels out
    white = white_point(picture.reshape(3, -1).T) if glass is None else np.clip(glass, MIN_WHITE, WHITE)
    pixels = picture[:, tissue(job, slide).values].T
    return stain_profile(pixels[:: -(-max(len(pixels), 1) // MAX_PIXELS)], white)
