"""Ink: pen on a slide, and the black borders of scanners, by colours that no stain has.

In optical density:

```text
green and blue pen    absorb red most      -> a hue that no stain has
red pen               absorbs almost no red, but green and blue strongly, over wide areas
black pen, border     absorb all colours alike, without any grain
```
Pen of the other colours has the hue of some stain. What tells it from tissue is that it has no grain (`tissue`).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .pieces import opening

Array = npt.NDArray[Any]
OPEN_UM = 16.0
"""Radius of the disk that fits into a stroke of red or black pen; redder or darker spots may be blood or stain."""
RIM_UM = 50.0
"""Width of the rim around certain ink in which faint pixels are ink too."""
SMEAR_UM = 150.0
"""Width of the rim around red ink in which paler red ink is ink too: strokes of a dry pen."""
MAX_DILATION = 8.0
"""Radius in pixels up to which what is near a mask is found by dilation."""


def optical_density(image_CYX: Any, white_C: Any) -> Any:
    """Optical density of each pixel (natural logarithm, 0 for glass), as an array of the image's library, numpy or cupy."""
    xp = sys.modules[type(image_CYX).__module__.partition(".")[0]]
    density = -xp.log((xp.clip(image_CYX, 0, 255) + 1.0) / (white_C[:, None, None] + 1.0))
    return xp.maximum(density, 0.0)


def colourfulness(density_CYX: Any) -> tuple[Any, Any]:
    """(largest minus smallest density of the channels, mask of grey and dark pixels), numpy or cupy."""
    darkest = density_CYX.max(0)
    colour = darkest - density_CYX.min(0)
    return colour, (darkest > 0.3) & (colour < 0.22 * darkest)


def inks(density_CYX: Any) -> tuple[Any, Any, Any, Any]:
    """Masks (cold ink, warm ink, black, possible rim of ink), numpy or cupy."""
    red, green, blue = density_CYX
    total = density_CYX.sum(0) + 1e-6
    # Green and blue ink absorb more red than green; haematoxylin comes near it only where it is pale.
    cold = (red > 1.6 * green) & (total > 0.25)
    cold |= (red > 1.2 * green) & (red > 1.2)
    # Red ink lets nearly all red through and, unlike eosin, takes almost as much blue as green; so do blood cells, but
    # not over wide areas.
    warm = (red < 0.1 * total) & (blue > 0.66 * green) & (green > 0.5)
    spread = density_CYX.max(0) - density_CYX.min(0)
    black = (total > 2.5) & (spread < 0.3 * density_CYX.max(0))
    faint = (red > 1.25 * green) | ((red < 0.15 * total) & (blue > 0.62 * green) & (green > 0.2))
    faint |= spread < 0.35 * density_CYX.max(0)
    return cold, warm, black, faint


def pen(density: Array, even: Array, spacing: float) -> Array:
    """Mask of ink with its rims, and of black areas: scanner background, edges. `even`: pixels without grain."""
    cold, warm, black, faint = inks(density)
    warm, even = opening(warm, OPEN_UM / spacing), opening(even, OPEN_UM / spacing)
    seeds = cold | warm | (black & even)
    if not seeds.any():
        return np.asarray(seeds)
    found = seeds | (_within(seeds, RIM_UM / spacing) & faint)
    if warm.any():
        red, green, blue = density
        smear = (red < 0.12 * density.sum(0)) & (blue > 0.66 * green) & (green > 0.1)
        found |= _within(warm, SMEAR_UM / spacing) & smear
    return np.asarray(found)


def _within(mask: Array, radius: float) -> Array:
    """Mask of the pixels at most `radius` from one of the mask. For short radii a dilation takes a third of the time."""
    if radius > MAX_DILATION:
        return np.asarray(ndimage.distance_transform_edt(~mask) <= radius)
    import cv2

    cv2.setNumThreads(1)  # units run in parallel already
    whole = int(radius)
    y, x = np.ogrid[-whole : whole + 1, -whole : whole + 1]
    disk = (np.sqrt(y**2 + x**2) <= radius).astype(np.uint8)
    return np.asarray(cv2.dilate(np.ascontiguousarray(mask).view(np.uint8), disk).astype(bool))
