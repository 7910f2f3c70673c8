"""Grain and hue: what tells a stained section from glass, whatever the strength of its stain (see `tissue`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

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


def blurred(plane: Array, sigma: float) -> Array:
    """A plane (Y, X), float32, under a Gaussian blur; `sigma` in pixels.

    As `scipy.ndimage.gaussian_filter(plane, sigma, mode="nearest")`, in half of the time. Sums are of float64, and
    rounded after each axis, so the bits are the same but where a sum lies half-way between two numbers."""
    import cv2

    cv2.setNumThreads(1)  # units run in parallel already
    radius = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    own = np.ones(1)
    for across, down in ((own, weights), (weights, own)):
        plane = cv2.sepFilter2D(plane, cv2.CV_64F, across, down, borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    return plane


def blur(image: Array, sigma: float) -> Array:
    """Each channel (channel, Y, X) under a Gaussian blur, by a thread each; `sigma` in pixels."""
    with ThreadPoolExecutor(len(image)) as pool:
        return np.stack(list(pool.map(partial(blurred, sigma=sigma), image)))


def grain(image: Array, spacing: float) -> Array:
    """Local standard deviation of the density at the scale of cells, (Y, X)."""
    density = -np.log((image.mean(0) + 1.0) / 256.0)
    own = spacing**2 / 12  # variance of a pixel's own width
    if own < FINE_UM**2:
        density = blurred(density, (FINE_UM**2 - own) ** 0.5 / spacing)
    rough = density - blurred(density, 2 * FINE_UM / spacing)
    return np.asarray(np.sqrt(blurred(rough**2, 4 * FINE_UM / spacing)))


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
    sums = np.stack([np.bincount(pieces[mask], channel[mask], pieces.max(initial=0) + 1) for channel in density])
    hued = sums.max(0) - sums.min(0) > PIECE_HUE * sums.max(0)
    return np.asarray(mask & hued[pieces])
