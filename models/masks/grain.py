"""Grain and hue: what tells a stained section from glass, whatever the strength of its stain (see `tissue`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .pieces import labelled

Array = npt.NDArray[Any]
FINE_UM = 4.0
"""Standard deviation of the blur under which cells still show; grain is what a blur of twice this removes."""
HUE_UM = 24.0
"""Standard deviation of the Gaussian blur under which hue is measured."""
ROUGH = 0.05
"""Grain of tissue, at least, as a share of its density."""
GRAIN_BOUNDS = (0.006, 0.02)
"""Lower and upper bound of the grain, in optical density, above which a pixel differs from glass."""
GLASS_GRAIN = 2.0
"""Grain of tissue, at least, in multiples of the glass's own: noise of the camera, artefacts of compression."""
HUE, PIECE_HUE = 0.085, 0.13
"""Hue of a pixel's surroundings, and of a whole piece of tissue, at least."""


def blur(image: Array, sigma: float) -> Array:
    """Each channel (channel, Y, X) under a Gaussian blur, by a thread each; `sigma` in pixels."""
    with ThreadPoolExecutor(len(image)) as pool:
        return np.stack(list(pool.map(partial(ndimage.gaussian_filter, sigma=sigma, mode="nearest"), image)))


def grain(image: Array, spacing: float) -> Array:
    """Local standard deviation of the density at the scale of cells, (Y, X)."""
    density = -np.log((image.mean(0) + 1.0) / 256.0)
    own = spacing**2 / 12  # variance of a pixel's own width
    if own < FINE_UM**2:
        density = ndimage.gaussian_filter(density, (FINE_UM**2 - own) ** 0.5 / spacing, mode="nearest")
    rough = density - ndimage.gaussian_filter(density, 2 * FINE_UM / spacing, mode="nearest")
    return np.asarray(np.sqrt(ndimage.gaussian_filter(rough**2, 4 * FINE_UM / spacing, mode="nearest")))


def grain_of_glass(glass: Array) -> float:
    """Grain above which a pixel differs from glass; the least grainy glass counts, as thin tissue lies among the rest."""
    return float(np.clip(GLASS_GRAIN * np.percentile(glass, 2), *GRAIN_BOUNDS))


def hued(density: Array, spacing: float) -> Array:
    """Mask of pixels with a hue in their surroundings that are not black or grey themselves."""
    wide = blur(density, HUE_UM / spacing)
    return np.asarray((wide.max(0) - wide.min(0) > HUE * wide.max(0)) & ~dull(density))


def dull(density: Array) -> Array:
    """Mask of dark grey pixels: the shadow of an edge, over tissue too."""
    darkest = density.max(0)
    return np.asarray((darkest > 0.5) & (darkest - density.min(0) < 0.14 * darkest))


def hued_pieces(mask: Array, density: Array) -> Array:
    """The pieces that have a hue as a whole: bubbles and scratches have one only here and there."""
    pieces = labelled(mask)
    sums = np.stack([np.bincount(pieces.ravel(), channel.ravel()) for channel in density])
    hued = sums.max(0) - sums.min(0) > PIECE_HUE * sums.max(0)
    return np.asarray(mask & hued[pieces])
