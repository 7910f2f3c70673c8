"""reinhard: mean and spread of a slide's colours in l-alpha-beta, and patches moved to another slide's.

Reinhard et al. 2001, IEEE Computer Graphics and Applications 21(5):34, "Color transfer between images": RGB to cone responses
(LMS), their logarithm, and three axes that hardly correlate in natural images (Ruderman et al. 1998): lightness, yellow-blue,
red-green. Glass stays as it is, unlike in the paper: the change of a pixel grows from none at glass to all of it where the
pixel counts as stained, since statistics are of tissue and would tint the glass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .density import GLASS_DENSITY, WHITE, as_bytes, combined, density_planes, optical_density

Array = npt.NDArray[Any]
LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""RGB to cone responses (equation 4 of the paper)."""
AXES = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""Logarithms of cone responses to l, alpha, beta (equation 6)."""
MIN_SPREAD = 1e-3
"""Least spread of an axis: a slide of one colour is moved and not stretched."""


@dataclass(frozen=True, slots=True)
class ColourStatistics:
    """Mean and standard deviation of l, alpha and beta over a slide's pixels with stain; decimal logarithms."""

    mean: Array
    """float (3,)"""
    spread: Array
    """float (3,), at least `MIN_SPREAD`."""


def colour_statistics(pixels_NC: Array, white_C: Array | float = WHITE) -> ColourStatistics | None:
    """Statistics of 8-bit RGB pixels (n, 3), of tissue and glass or tissue alone; None if no pixel holds stain."""
    held = optical_density(pixels_NC, white_C).mean(1) > GLASS_DENSITY
    if not held.any():
        return None
    colours = to_lab(pixels_NC[held])
    return ColourStatistics(colours.mean(0), np.maximum(colours.std(0), MIN_SPREAD))


def recolour(
    patches_NCYX: Array, own: ColourStatistics, target: ColourStatistics, *, white_C: Array | float = WHITE
) -> Array:
    """Patches, uint8 (n, 3, y, x), with the colours' mean and spread of the target.

    `own` and `white_C` are those of the patches' slide, not of the patches.
    """
    pixels = [patches_NCYX[:, c].astype(np.float32) for c in range(3)]
    cones = combined([plane + 1 for plane in pixels], LMS.T / 256)
    stretch = target.spread / own.spread
    change = AXES.T * stretch @ np.linalg.inv(AXES).T  # of logarithms of cone responses, by way of l, alpha, beta
    shift = ((target.mean - own.mean * stretch) @ np.linalg.inv(AXES).T).astype(np.float32)
    moved = combined([np.log10(plane) for plane in cones], change)
    ten = np.float32(10)
    light = combined([ten ** (plane + by) for plane, by in zip(moved, shift, strict=True)], np.linalg.inv(LMS).T * 256)
    density = density_planes(patches_NCYX, white_C)
    weight = np.clip((density[0] + density[1] + density[2]) / np.float32(3 * GLASS_DENSITY), 0, 1)
    return as_bytes([weight * (a - 1) + (1 - weight) * b for a, b in zip(light, pixels, strict=True)])


def to_lab(pixels_NC: Array) -> Array:
    """l, alpha, beta of 8-bit RGB pixels, float (n, 3)."""
    return np.asarray(np.log10((pixels_NC.astype(float) + 1) / 256 @ LMS.T) @ AXES.T)


def from_lab(colours_NC: Array) -> Array:
    """RGB, float (n, 3), on the scale of 8 bits, not rounded or clipped."""
    return np.asarray(10 ** (colours_NC @ np.linalg.inv(AXES).T) @ np.linalg.inv(LMS).T * 256 - 1)
