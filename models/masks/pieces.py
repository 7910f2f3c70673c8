"""Pieces: the connected pieces of a mask, chosen by size and shape, and its opening and closing by a disk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]


def labelled(mask: Array) -> Array:
    """Number of the connected piece of each pixel, from 1 on; 0 outside the mask. Pixels that share a side connect."""
    import cv2

    if not mask.size:  # OpenCV would end the process
        return np.zeros(mask.shape, np.int32)
    return np.asarray(cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=4)[1])


def small(mask: Array, area: float) -> Array:
    """Mask of the connected pieces of at most `area` pixels."""
    pieces = labelled(mask)
    sizes = np.bincount(pieces.ravel())
    return np.asarray((sizes <= area)[pieces] & mask)


def lines(mask: Array, thinness: float) -> Array:
    """Mask of the pieces with less area than `thinness` times their length squared: edges of coverslips, fibres."""
    pieces = labelled(mask)
    sizes = np.bincount(pieces.ravel())
    long = np.zeros(len(sizes), bool)
    for i, box in enumerate(ndimage.find_objects(pieces), start=1):
        long[i] = sizes[i] < thinness * max(part.stop - part.start for part in box) ** 2
    return np.asarray(long[pieces])


def opening(mask: Array, radius: float) -> Array:
    """Mask without what is thinner than a disk of this radius in pixels. The edge of the image makes nothing thinner."""
    return _eroded_dilated(mask, radius, "OPEN")


def closing(mask: Array, radius: float) -> Array:
    """Mask with the gaps that a disk of this radius in pixels does not fit into."""
    return _eroded_dilated(mask, radius, "CLOSE")


def _eroded_dilated(mask: Array, radius: float, how: Literal["OPEN", "CLOSE"]) -> Array:
    """By OpenCV, which takes a twentieth of scipy's time. What lies beyond the edge neither erodes nor dilates."""
    import cv2

    if not mask.any():
        return mask
    cv2.setNumThreads(1)  # units run in parallel already
    operation = {"OPEN": cv2.MORPH_OPEN, "CLOSE": cv2.MORPH_CLOSE}[how]
    disk = _disk(radius).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(np.ascontiguousarray(mask).view(np.uint8), operation, disk).astype(bool))


def _disk(radius: float) -> Array:
    """As skimage.morphology.disk, whose import takes a tenth of a second."""
    whole = max(1, round(radius))
    y, x = np.ogrid[-whole : whole + 1, -whole : whole + 1]
    return np.asarray(y**2 + x**2 <= whole**2)
