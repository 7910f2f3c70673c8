"""tissue_share: how much of a patch is tissue, for galleries: the mask, and the glass that the mask takes for tissue.

The mask closes narrow gaps and small holes and lies a little outside of the edge, so glass there counts as tissue.
"""

from __future__ import annotations

import numpy as np

from ....stores.frame import Array, Frame
from ...pipeline.job import Job
from ...steps.background import GLASS_PIXELS
from ...steps.convert.overview import overview
from ...steps.convert.tissue import glass_of, tissue
from ...tiling.mask import Mask
from .settings import ClusterSettings

LONGEST = 4096
"""Pixels along the slide at the level that glass is looked for in, at most where the stored pyramid has such a level: the
finest whose pixels are not finer than the cells that `GLASS_PIXELS` makes."""


def tissue_share(job: Job[ClusterSettings], image: str, places: Array, bare: Mask | None) -> Array:
    """Share of tissue in patches whose first cells are `places` (n, axes), float64 in [0, 1].

    On brightfield slides pixels as bright as the slide's glass, `bare`, are none, so lumina and pale fat count as none either.
    """
    starts = places.astype(float)
    stops = starts + job.settings.side
    shape = job.slides[image].shape
    inside = ((stops.clip(0, shape) - starts.clip(0, shape)) / job.settings.side).prod(1)  # beyond the image nothing is
    covered = tissue(job, image).share_of(starts, stops)
    share: Array = inside * (covered if bare is None else np.minimum(covered, 1 - bare.share_of(starts, stops)))
    return share


def glass_share(job: Job[ClusterSettings], places: Array, bare: Mask | None) -> Array:
    """Share of pixels as bright as glass in the tiles amid patches whose first cells are `places`; NaN where none is known."""
    if bare is None:
        return np.full(len(places), np.nan)
    starts = places + (job.settings.side - job.settings.step) / 2
    return bare.share_of(starts, starts + job.settings.step)


def bare_glass(job: Job[ClusterSettings], image: str) -> Mask | None:
    """Where a slide is as bright as its glass; None where its background is not glass."""
    from ....models.masks.glass import GLASS_DENSITY

    glass = glass_of(job, image)
    if glass is None:
        return None
    stored = job.stored(image)
    finest = GLASS_PIXELS * job.spacing * 0.9
    fit = (f for f in stored.frames if max(f.shape) <= LONGEST and f.spacing[0] >= finest)
    frame = next(fit, stored.frames[-1])
    pixels, _ = overview(stored, Frame(frame.axes, frame.shape, frame.spacing, frame.origin))
    low, high = ((glass + 1) * np.exp(sign * GLASS_DENSITY) - 1 for sign in (-1, 1))
    bare = np.logical_and.reduce([(c > a) & (c < b) for c, a, b in zip(pixels, low, high, strict=True)])
    return Mask.over(bare, frame, job.slides[image].frame)
