"""channels: a section as one picture that depends little on its stain, at the size at which sections are compared.

The picture is the optical density of red light. Haematoxylin, which marks nuclei in nearly every stain, absorbs red most; eosin
and DAB absorb less of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..masks.tissue import tissue_mask
from ..stains.density import GLASS_DENSITY, density_planes, pixels_of, white_point

Array = npt.NDArray[Any]
CHANNEL = "optical density of red light"
MASK_SPACING = 8.0
"""Micrometres a pixel of the overview that the tissue mask reads."""
MASK_SIDE = 1024
"""Longer side that an overview is taken to have at that spacing, where its spacing is not known."""
DENSE_PERCENTILE = 99.0
"""Percentile of the tissue's optical density that becomes 1."""
LEAST_MASK = 0.5
"""A mask that holds less than this share of what is as dense as stained tissue is not used: filtered pictures have no grain."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section at one size."""

    picture: Array
    """float32 (y, x): optical density over that of dense tissue, 0 on glass."""
    mask: Array
    """float32 (y, x): share of tissue."""
    scale: Array
    """float (2,): pixels of this size for a pixel of the overview, along y and x."""
    note: str = ""
    """What was guessed about the tissue."""

    def reduced(self, factor: float) -> Section:
        """The section reduced by a factor of at most 1."""
        planes = [resized(plane, factor) for plane in (self.picture, self.mask)]
        ratio = np.array(planes[0].shape) / self.picture.shape
        return Section(planes[0], planes[1], self.scale * ratio, self.note)


def resized(plane: Array, factor: float) -> Array:
    """A plane (y, x) reduced by a factor of at most 1, by areas."""
    if factor >= 1.0:
        return plane
    height, width = (max(8, round(side * factor)) for side in plane.shape)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))


def section(overview: Array, *, spacing: float | None, mask: Array | None, factor: float) -> Section:
    """A section from its overview, uint8 (3, y, x), reduced by `factor`; `spacing` in µm a pixel of the overview.

    Where no mask (bool (y, x)) is given, it is found; in an overview whose spacing is not known, as if `MASK_SIDE` pixels had
    `MASK_SPACING`.
    """
    small = np.stack([resized(plane, factor) for plane in overview])
    planes = density_planes(small[None], white_point(pixels_of(small[None])))
    if mask is None:
        found, note = tissue(overview, spacing, sum(plane[0] for plane in planes) / 3)
    else:
        found, note = resized(mask.astype(np.float32), factor), ""
    red = cv2.GaussianBlur(planes[0][0], (0, 0), 0.7) * (found > 0)
    held = red[found > 0.5]
    top = float(np.percentile(held, DENSE_PERCENTILE)) if held.size else 1.0
    picture = np.clip(red / max(top, 1e-3), 0.0, 1.5).astype(np.float32)
    return Section(picture, found, np.array(small.shape[1:]) / overview.shape[1:], note)


def tissue(overview: Array, spacing: float | None, density: Array) -> tuple[Array, str]:
    """(share of tissue, float32 in the shape of `density`, what was guessed)."""
    known = spacing if spacing else MASK_SPACING * MASK_SIDE / max(MASK_SIDE, *overview.shape[1:])
    factor = min(1.0, known / MASK_SPACING)
    small = np.stack([resized(plane, factor) for plane in overview])
    mask = tissue_mask(small, known / factor, brightfield=True).astype(np.float32)
    share = np.asarray(cv2.resize(mask, density.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    smooth = cv2.GaussianBlur(density.astype(np.float32), (0, 0), 2.0)
    stained = (smooth > GLASS_DENSITY).astype(np.uint8)
    dense = np.asarray(cv2.morphologyEx(stained, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.float32)
    if dense.sum() and (share * dense).sum() < LEAST_MASK * dense.sum():
        note = f"the tissue mask holds {share.mean():.1%}, stained pixels {dense.mean():.1%} of the overview: these were used"
        return dense, note
    return share, ""
