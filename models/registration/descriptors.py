"""descriptors: what two stains of one tissue have in common at a pixel, and how well two pictures agree around it.

Stains differ in how dark a structure is, less in where it is darker or lighter than its surroundings.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CONTRAST_SIGMA = 6.0
"""Standard deviation of the surroundings, in pixels, by whose mean and spread a picture is normalised."""
NEIGHBOUR = 2
"""Distance in pixels of the patches that the self-similarity compares."""
FLOOR = 0.05
"""Spread of density below which surroundings are even: their noise is not amplified."""


def blur(plane: Array, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def local_contrast(picture: Array) -> list[Array]:
    """The picture minus the mean of its surroundings, over their spread: one plane."""
    mean = blur(picture, CONTRAST_SIGMA)
    spread = np.sqrt(np.maximum(blur(picture * picture, CONTRAST_SIGMA) - mean * mean, 0))
    return [(picture - mean) / (spread + np.float32(FLOOR))]


def self_similarity(picture: Array) -> list[Array]:
    """How like its eight neighbouring patches a patch is: eight planes in [0, 1].

    The modality-independent neighbourhood descriptor: Heinrich et al. 2012, Medical Image Analysis 16 (7).
    """
    far, (height, width) = NEIGHBOUR, picture.shape
    padded = cv2.copyMakeBorder(picture, far, far, far, far, cv2.BORDER_REPLICATE)
    shifts = [(y, x) for y in (-far, 0, far) for x in (-far, 0, far) if (y, x) != (0, 0)]
    planes = [
        blur((picture - padded[far + y : far + y + height, far + x : far + x + width]) ** 2, 1.0) for y, x in shifts
    ]
    distances = np.stack(planes)
    distances -= distances.min(0)
    spread = distances.mean(0)
    typical = max(float(spread.mean()), 1e-9)
    return list(np.exp(-distances / np.clip(spread, 1e-3 * typical, 1e3 * typical)).astype(np.float32))


DESCRIPTORS = (local_contrast, self_similarity)
"""Both together were nearer to landmarks than either alone, or than directions of gradients (benchmarks/register.py)."""


def agreement(fixed: Array, moved: Array, sigma: float) -> Array:
    """Local correlation of two pictures (y, x) within Gaussian windows, in [-1, 1]; near 0 where a window is even."""
    means = [blur(plane, sigma) for plane in (fixed, moved)]
    spreads = [np.maximum(blur(p * p, sigma) - m * m, 0) for p, m in zip((fixed, moved), means, strict=True)]
    shared = blur(fixed * moved, sigma) - means[0] * means[1]
    return np.asarray(shared / np.sqrt((spreads[0] + FLOOR**2 / 25) * (spreads[1] + FLOOR**2 / 25)))
