"""channels: a section as one picture that does not depend on its stain, at the size at which it is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..masks.tissue import tissue_mask
from ..stains.density import optical_density, pixels_of, white_point

Array = npt.NDArray[Any]
MASK_SPACING = 8.0
"""Micrometres a pixel of the overview that the tissue mask reads."""
MASK_SIDE = 1024
"""Finest side of that overview where the spacing is not known."""
DENSE_PERCENTILE = 99.0
"""Percentile of the tissue's optical density that becomes 1."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section at one size."""

    picture: Array
    """float32 (y, x): optical density over that of dense tissue, 0 on glass."""
    mask: Array
    """float32 (y, x): share of tissue."""
    scale: float
    """Pixels of this size for a pixel of the overview."""

    def reduced(self, side: int) -> Section:
        """The section with its longer side at most `side` pixels."""
        factor = min(1.0, side / max(self.picture.shape))
        return Section(*(resized(plane, factor) for plane in (self.picture, self.mask)), self.scale * factor)


def resized(plane: Array, factor: float) -> Array:
    """A plane (y, x) at a size that is not larger, by areas."""
    if factor == 1.0:
        return plane
    height, width = (max(1, round(side * factor)) for side in plane.shape)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))


def section(overview: Array, *, spacing: float | None, mask: Array | None, factor: float) -> Section:
    """A section from its overview, uint8 (3, y, x), reduced by `factor` (at most 1).

    Where no mask (bool (y, x)) is given, it is found; of an overview whose spacing is not known, as if `MASK_SIDE` pixels were
    at `MASK_SPACING`.
    """
    small = np.stack([resized(plane, factor) for plane in overview])
    if mask is None:
        mask = tissue(small, spacing / factor if spacing else None)
        share = mask.astype(np.float32)
    else:
        share = resized(mask.astype(np.float32), factor)
    density = optical_density(pixels_of(small[None]), white_point(pixels_of(small[None]))).mean(1)
    density = density.reshape(small.shape[1:]).astype(np.float32) * (share > 0)
    held = density[share > 0.5]
    top = float(np.percentile(held, DENSE_PERCENTILE)) if held.size else 1.0
    return Section(np.clip(density / max(top, 1e-3), 0.0, 1.5), share, factor)


def tissue(overview: Array, spacing: float | None) -> Array:
    """Mask of the tissue, bool (y, x), found on an overview of about `MASK_SPACING`."""
    height, width = overview.shape[1:]
    known = spacing if spacing else MASK_SPACING * MASK_SIDE / max(MASK_SIDE, height, width)
    factor = min(1.0, known / MASK_SPACING)
    small = np.stack([resized(plane, factor) for plane in overview])
    mask = tissue_mask(small, known / factor, brightfield=True)
    return np.asarray(cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0)
