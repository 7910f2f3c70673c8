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
PATCHES_AT_ONCE = 64
"""Patches whose tissue is told together; each is told by itself, whatever the others are."""
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
        from ...models.masks.fill import fill_in_place

        partial = np.flatnonzero(~self.mask.whole(starts, starts + np.array(pixels.shape[2:])))
        pixels = np.ascontiguousarray(pixels)
        for rows in np.split(partial, range(PATCHES_AT_ONCE, len(partial), PATCHES_AT_ONCE)):
            for i, tissue_YX in zip(rows, self._tissue(pixels[rows], starts[rows]), strict=True):
                fill_in_place(pixels[i], tissue_YX)
        return pixels

    def _tissue(self, patches_BCYX: Array, starts: Array) -> Array:
        """Cells of FILL_PIXELS that are tissue, bool (B, Y, X)."""
        from ...models.masks.glass import without_glass

        found = self.mask.cells_of_many(starts, patches_BCYX.shape[2:], GLASS_PIXELS)
        if self.glass is not None:
            found = without_glass(found, patches_BCYX, self.glass, max(1, round(self.reach / GLASS_PIXELS)))
        times = GLASS_PIXELS // FILL_PIXELS
        return found.repeat(times, 1).repeat(times, 2)
