"""Halving an image: every coarser cell is the mean of the finer cells that exist under it."""

from __future__ import annotations

import numpy as np

from .frame import Array


def halve(pixels: Array) -> Array:
    """(channel, *axes) -> half as many cells along every axis, rounded up; integers are rounded half up.

    >>> halve(np.array([[[0, 1], [1, 1]]], np.uint8))
    array([[[1]]], dtype=uint8)
    """
    odd = [(0, 0)] + [(0, n % 2) for n in pixels.shape[1:]]
    if any(n for _, n in odd):
        pixels = np.pad(pixels, odd, mode="edge")  # the mean of a cell and its copy is the cell
    if pixels.ndim == 3 and pixels.dtype in (np.uint8, np.uint16, np.float32):
        return _halve_planes(pixels)
    shape = [pixels.shape[0]]
    for n in pixels.shape[1:]:
        shape += [n // 2, 2]
    mean: Array = pixels.reshape(shape).mean(tuple(range(2, len(shape), 2)), dtype=np.float64)
    rounded: Array = np.floor(mean + 0.5) if pixels.dtype.kind in "iu" else mean
    return rounded.astype(pixels.dtype)


def _halve_planes(pixels: Array) -> Array:
    import cv2

    cv2.setNumThreads(1)  # units run side by side; its own threads would only get in their way
    size = (pixels.shape[2] // 2, pixels.shape[1] // 2)
    out = np.empty((pixels.shape[0], size[1], size[0]), pixels.dtype)
    for plane, half in zip(pixels, out, strict=True):
        cv2.resize(np.ascontiguousarray(plane), size, dst=half, interpolation=cv2.INTER_AREA)
    return out


def resize(pixels: Array, shape: tuple[int, int]) -> Array:
    """(channel, y, x) -> (channel, *shape) by area, for overviews: each cell is the mean of what lies under it."""
    import cv2

    if pixels.shape[1:] == shape:
        return pixels
    planes = [cv2.resize(np.ascontiguousarray(p), shape[::-1], interpolation=cv2.INTER_AREA) for p in pixels]
    return np.stack(planes)
