"""Even regions: colour without grain, which is pen out of focus, or an even part of a section."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import filters

from .ink import colourfulness
from .pieces import labelled, lines, small

Array = npt.NDArray[Any]
RING_UM = 24.0
"""Width of the ring around an even region in which grain bounds it."""
COLOUR_BOUNDS = (0.035, 0.09)
"""Lower and upper bound of the colour threshold of even regions, in optical density."""
STROKE_UM = 144.0
"""Width of this ring around a region with the shape of a stroke."""
EDGE_UM = 96.0
"""Width of the grain that the sharp edge of pen in focus shows around its even inside."""
STROKE_UM2 = 3_000.0
"""Area of a stroke at least: a few pale pixels in a row on the edge of a section are none."""
STROKE_THINNESS = 0.25
"""A region with less area than this times its length squared has the shape of a stroke."""


def even_tissue(density: Array, rough: Array, ink: Array, spacing: float) -> tuple[Array, Array]:
    """(even regions that belong to the tissue, since grain bounds them; strokes of pen with their edges), bool (Y, X) each."""
    even = _coloured(density, ink | rough)
    if not even.any():
        return even, even
    strokes = lines(even & ~small(even, STROKE_UM2 / spacing**2), STROKE_THINNESS)
    distance, nearest = ndimage.distance_transform_edt(~even, return_indices=True)
    region = labelled(even)[tuple(nearest)]
    ring = (distance > 0) & (distance <= np.where(strokes[tuple(nearest)], STROKE_UM, RING_UM) / spacing)
    count = int(region.max()) + 1
    around = np.bincount(region[ring], minlength=count)
    grainy = np.bincount(region[ring & rough], minlength=count)
    # A region that fills the image has no ring, and there is no glass.
    kept = ((grainy > 0.5 * around) | (around == 0))[region]
    edges = (distance <= EDGE_UM / spacing) & strokes[tuple(nearest)]
    return np.asarray(even & kept), np.asarray(edges & ~kept)


def _coloured(density: Array, other: Array) -> Array:
    colour, grey = colourfulness(density)
    out = grey | other
    return np.asarray((colour > _colour_threshold(colour[~out])) & ~out)


def _colour_threshold(colour: Array) -> float:
    if colour.size == 0 or np.ptp(colour) < 1e-6:
        return COLOUR_BOUNDS[1]
    return float(np.clip(0.6 * filters.threshold_otsu(np.minimum(colour, 0.3)), *COLOUR_BOUNDS))
