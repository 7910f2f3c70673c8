"""density: optical density of pixels, in which amounts of stain add up (Beer and Lambert), and the pixels that hold any."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
GLASS_DENSITY = 0.15
"""Mean optical density (natural logarithm) below which a pixel says nothing of a stain: glass, or hardly any."""
WHITE = 255.0
MIN_WHITE = 200.0
"""Darkest white point: an image without glass has no pixel that shows it."""


def white_point(pixels_NC: Array) -> Array:
    """Intensity of empty glass in each channel, float (3,): the median of the brightest twentieth of pixels, at least 200.

    Of a slide's overview or of patches that hold some glass; patches of tissue alone give the bound.
    """
    grey = pixels_NC.mean(1)
    bright = pixels_NC[grey >= np.quantile(grey, 0.95)]
    return np.asarray(np.clip(np.median(bright, axis=0), MIN_WHITE, WHITE))


def optical_density(pixels_NC: Array, white_C: Array | float = WHITE) -> Array:
    """Optical density of 8-bit pixels, natural logarithm, float (n, 3): 0 for glass and for what is brighter.

    >>> optical_density(np.array([[255, 127, 255]])).round(3).tolist()
    [[0.0, 0.693, 0.0]]
    """
    density = np.log(np.asarray(white_C, float) + 1) - np.log(pixels_NC.astype(float) + 1)
    return np.asarray(np.maximum(density, 0.0))


def transmitted(density_NC: Array, white_C: Array | float = WHITE) -> Array:
    """8-bit pixels of an optical density, the inverse of `optical_density`, uint8 (n, 3)."""
    light = (np.asarray(white_C, float) + 1) * np.exp(-density_NC) - 1
    return np.asarray(np.clip(np.rint(light), 0, 255).astype(np.uint8))


def stained(density_NC: Array) -> Array:
    """The rows that hold stain, float (m, 3)."""
    return np.asarray(density_NC[density_NC.mean(1) > GLASS_DENSITY])


def pixels_of(patches_NCYX: Array) -> Array:
    """All pixels of patches, (n * y * x, 3)."""
    return np.moveaxis(patches_NCYX, 1, -1).reshape(-1, patches_NCYX.shape[1])


def as_patches(pixels_NC: Array, shape: tuple[int, ...]) -> Array:
    """Pixels in the order of `pixels_of` as patches of `shape` (n, 3, y, x), contiguous."""
    n, channels, *rest = shape
    return np.ascontiguousarray(np.moveaxis(pixels_NC.reshape(n, *rest, channels), -1, 1))
