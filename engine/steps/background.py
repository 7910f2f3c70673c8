"""background: what a network sees of a patch on the edge of the tissue: its tissue, which also fills the background.

Done alike where patches for training are read and where the network is applied, each patch by itself, so that a patch has the
same pixels in every unit and on every worker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stores.frame import Array
from ..pipeline.job import Job
from ..pipeline.settings import RunSettings
from ..tiling.mask import Mask
from ..tiling.plan import Prepare, unchanged
from .convert.tissue import glass_of, tissue

GLASS_PIXELS = 4
"""Side, in pixels, of a cell that is told from glass by its mean: over fewer pixels noise and grain decide."""
FILL_PIXELS = 2
"""Side, in pixels, of a cell that is filled: a quarter of the time of single pixels, and no edges that a network sees."""
REACH_UM = 40.0
"""Micrometres from outside the mask within which glass is looked for; the mask closes gaps of twice this width."""


def background_filler(job: Job[RunSettings], image: str) -> Prepare:
    """What fills the background of an image's patches; for images whose background is part of the picture, nothing does."""
    if not job.modality.fills_background:
        return unchanged
    return BackgroundFiller(tissue(job, image), glass_of(job, image), REACH_UM / job.spacing)


@dataclass(frozen=True, slots=True)
class BackgroundFiller:
    """Fills the background of patches by the tissue beside it; patches that the mask covers wholly stay as they are."""

    mask: Mask
    glass: Array | None
    """Intensity of empty glass in each channel; None where only the mask tells background."""
    reach: float
    """Pixels from outside the mask within which glass is looked for."""

    def __call__(self, pixels: Array, starts: Array) -> Array:
        from ...models.masks.fill import fill_background

        for i in np.flatnonzero(~self.mask.whole(starts, starts + np.array(pixels.shape[2:]))):
            pixels[i] = fill_background(pixels[i], self._tissue(pixels[i], starts[i]))
        return pixels

    def _tissue(self, patch_CYX: Array, start: Array) -> Array:
        """Cells of FILL_PIXELS that are tissue, bool (Y, X)."""
        from ...models.masks.glass import without_glass

        found = self.mask.cells(start, patch_CYX.shape[1:], GLASS_PIXELS)
        if self.glass is not None:
            found = without_glass(found, patch_CYX, self.glass, max(1, round(self.reach / GLASS_PIXELS)))
        times = GLASS_PIXELS // FILL_PIXELS
        return found.repeat(times, 0).repeat(times, 1)
