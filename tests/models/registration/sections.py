"""A drawn section of two stains, and the same under a known map."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]
HAEMATOXYLIN, EOSIN, DAB = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
SIDE = 256


@lru_cache(maxsize=2)
def amounts(seed: int = 0) -> tuple[Array, Array]:
    """Amounts of two stains, float (SIDE, SIDE) each: nuclei in clumps, and a ground; 0 on glass."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    rim = 0.36 * SIDE * (1 + 0.18 * np.cos(np.arctan2(y, x) - 1) + 0.1 * np.cos(2 * np.arctan2(y, x)))
    tissue = ndimage.gaussian_filter((np.hypot(y, x) < rim).astype(float), 1.0)
    noise = [ndimage.gaussian_filter(draw.normal(size=(SIDE, SIDE)), sigma) for sigma in (1.2, 5.0, 12.0)]
    fine, middle, coarse = (plane / plane.std() for plane in noise)
    nuclei = np.clip(fine + middle - 0.3, 0, None)
    return 0.5 * nuclei * tissue, np.clip(0.35 + 0.15 * coarse + 0.1 * middle, 0.05, None) * tissue


def painted(planes: tuple[Array, Array], second: Array = EOSIN, strength: float = 1.0) -> Array:
    """uint8 (3, y, x) of haematoxylin and a second stain on glass of 245."""
    density = planes[0] * strength * HAEMATOXYLIN[:, None, None] + planes[1] * second[:, None, None]
    return np.clip(np.rint(245 * np.exp(-density)), 0, 255).astype(np.uint8)


def pulled(planes: tuple[Array, Array], coordinates: Array) -> tuple[Array, Array]:
    """Planes read at coordinates (2, y, x)."""
    first, second = (np.clip(ndimage.map_coordinates(plane, coordinates, order=3), 0, None) for plane in planes)
    return first, second


def grid(shape: tuple[int, int] = (SIDE, SIDE)) -> Array:
    return np.mgrid[: shape[0], : shape[1]].astype(float)
