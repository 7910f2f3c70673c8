"""Pieces: the connected pieces of a mask, chosen by size and shape, and its opening and closing by a disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import measure

Array = npt.NDArray[Any]


def labelled(mask: Array) -> Array:
    """Number of the connected piece of each pixel, from 1 on; 0 outside the mask. Pixels that share a side connect."""
    return np.asarray(measure.label(mask, connectivity=1))


def small(mask: Array, area: float) -> Array:
    """Mask of the connected pieces of at most `area` pixels."""
    pieces = labelled(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes[pieces] <= area) & mask)


def lines(mask: Array, thinness: float) -> Array:
    """Mask of the pieces with less area than `thinness` times their length squared: edges of coverslips, fibres."""
    pieces = labelled(mask)
    sizes = np.bincount(pieces.ravel())
    long = np.zeros(len(sizes), bool)
    for i, box in enumerate(ndimage.find_objects(pieces), start=1):
        long[i] = sizes[i] < thinness * max(part.stop - part.start for part in box) ** 2
    return np.asarray(long[pieces])


def opening(mask: Array, radius: float) -> Array:
    """Mask without what is thinner than a disk of this radius in pixels; what lies beyond the image counts as mask."""
    return ~closing(~mask, radius)


def closing(mask: Array, radius: float) -> Array:
    """Mask with gaps that a disk of this radius in pixels does not enter; what lies beyond the image counts as no mask."""
    if not mask.any():
        return mask
    near = ndimage.distance_transform_edt(~mask) <= max(1.0, radius)
    if near.all():
        return np.asarray(near)
    return np.asarray(ndimage.distance_transform_edt(near) > max(1.0, radius))
