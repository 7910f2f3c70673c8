"""density: optical density of pixels, in which amounts of stain add up (Beer and Lambert), and the pixels that hold any."""

from __future__ import annotations

from collections.abc import Sequence
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


def density_planes(patches_NCYX: Array, white_C: Array | float = WHITE) -> list[Array]:
    """Optical density of 8-bit patches, one float32 (n, y, x) for each channel: looked up, as there are 256 intensities."""
    table = optical_density(np.arange(256)[:, None].repeat(3, 1), white_C).astype(np.float32)
    return [table[:, c][patches_NCYX[:, c]] for c in range(3)]


def combined(planes: Sequence[Array], weights_CK: Array) -> list[Array]:
    """Weighted sums of planes, one for each column of the weights, as float32.

    Element by element and always in this order, so that a pixel comes out the same in any batch; a product of matrices may
    add in another order for the last rows.
    """
    sums = []
    for weights in np.asarray(weights_CK, np.float32).T:
        total = planes[0] * weights[0]
        for plane, weight in zip(planes[1:], weights[1:], strict=True):
            total += plane * weight
        sums.append(total)
    return sums


def as_bytes(planes: Sequence[Array]) -> Array:
    """Planes (n, y, x) as 8-bit patches (n, channel, y, x), rounded and clipped."""
    return np.stack([np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes], 1)
