"""Halving an image: every coarser cell is the mean of the finer cells that exist under it.

numpy arrays are halved by OpenCV; arrays of other libraries, such as cupy on a GPU, by the functions that they share with
numpy. Integers are the same either way.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from .frame import Array


def halve(pixels: Array, factor: Sequence[int] = ()) -> Array:
    """(channel, *axes) -> half as many cells along every axis (or those whose `factor` is 2, not 1), rounded up; integers
    are rounded half up.

    >>> halve(np.array([[[0, 1], [1, 1]]], np.uint8))
    array([[[1]]], dtype=uint8)
    """
    if not isinstance(pixels, np.ndarray):
        return halve_anywhere(pixels)
    if pixels.ndim != 3 or any(n != 2 for n in factor) or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        return _halve_axes(pixels, tuple(factor) or (2,) * (pixels.ndim - 1))
    odd = [(0, 0)] + [(0, n % 2) for n in pixels.shape[1:]]
    if any(n for _, n in odd):
        pixels = np.pad(pixels, odd, mode="edge")  # the mean of a cell and its copy is the cell
    return _halve_planes(pixels)


def every_second(pixels: Array, factor: Sequence[int]) -> Array:
    """(channel, *axes) -> every second cell along the axes whose `factor` is 2: coarser labels, of which none is new."""
    return pixels[(slice(None), *(slice(None, None, n) for n in factor))]


def _halve_axes(pixels: Array, factor: Sequence[int]) -> Array:
    """Sum along each axis, then divide: exact for integers, since the sum of eight cells fits the wider type."""
    is_integer = pixels.dtype.kind in "iu"
    sum_dtype = np.int64 if is_integer and pixels.dtype.itemsize > 2 else np.int32 if is_integer else np.float64
    if is_integer and pixels.dtype.itemsize == 8:
        sum_dtype = np.float64
    total = pixels
    for axis, n in enumerate(factor, start=1):
        if n == 1:
            continue
        if total.shape[axis] % 2:
            total = np.concatenate([total, total[(slice(None),) * axis + (slice(-1, None),)]], axis)
        evens, odds = (total[(slice(None),) * axis + (slice(i, None, 2),)] for i in (0, 1))
        total = np.add(evens, odds, dtype=sum_dtype)
    count = int(np.prod(factor))
    if not is_integer:
        return np.asarray(total / count, pixels.dtype)
    mean = np.floor(total / count + 0.5) if sum_dtype is np.float64 else (2 * total + count) // (2 * count)
    return mean.astype(pixels.dtype)


def _halve_planes(pixels: Array) -> Array:
    import cv2

    cv2.setNumThreads(1)  # units run in parallel already
    channels, height, width = pixels.shape
    size = (width // 2, height // 2)
    out = np.empty((channels, *size[::-1]), pixels.dtype)
    if pixels.flags.c_contiguous:  # planes one below the other; a cell never has pixels of two, as their height is even
        stacked, halves = pixels.reshape(channels * height, width), out.reshape(channels * size[1], size[0])
        cv2.resize(stacked, halves.shape[::-1], dst=halves, interpolation=cv2.INTER_AREA)
        return out
    for plane, half in zip(pixels, out, strict=True):
        cv2.resize(np.ascontiguousarray(plane), size, dst=half, interpolation=cv2.INTER_AREA)
    return out


def resize(pixels: Array, shape: tuple[int, int]) -> Array:
    """(channel, y, x) -> (channel, *shape), for overviews: each cell is the area-weighted mean of the cells under it."""
    if pixels.shape[1:] == shape:
        return pixels
    if not isinstance(pixels, np.ndarray):
        return resize_anywhere(pixels, shape)
    import cv2

    planes = [cv2.resize(np.ascontiguousarray(p), shape[::-1], interpolation=cv2.INTER_AREA) for p in pixels]
    return np.stack(planes)


def halve_anywhere(pixels: Any) -> Any:
    """`halve` for arrays of any library with numpy's functions, on the array's device."""
    xp = namespace(pixels)
    for axis in range(1, pixels.ndim):
        if pixels.shape[axis] % 2:
            edge = (slice(None),) * axis + (slice(-1, None),)
            pixels = xp.concatenate([pixels, pixels[edge]], axis=axis)
    axes = pixels.ndim - 1
    is_integer = pixels.dtype.kind in "iu"
    cells = (pixels[(slice(None), *(slice(i, None, 2) for i in at))] for at in product((0, 1), repeat=axes))
    total = sum(part.astype(xp.int64 if is_integer else xp.float64) for part in cells)
    count = 2**axes
    return ((2 * total + count) // (2 * count) if is_integer else total / count).astype(pixels.dtype)


def resize_anywhere(pixels: Any, shape: tuple[int, int]) -> Any:
    """`resize` for such arrays, in float64; OpenCV works in float32, so a mean near a half may round differently."""
    xp = namespace(pixels)
    down, across = (xp.asarray(_shares(n, m)) for n, m in zip(pixels.shape[1:], shape, strict=True))
    mean = down @ pixels.astype(xp.float64) @ across.T
    return (xp.rint(mean) if pixels.dtype.kind in "iu" else mean).astype(pixels.dtype)


def _shares(cells: int, count: int) -> Array:
    """Share of each of `cells` in each of `wanted` coarser ones, (wanted, cells)."""
    edges = np.arange(count + 1)[:, None] * (cells / count)
    under = np.clip(np.minimum(edges[1:], np.arange(1, cells + 1)) - np.maximum(edges[:-1], np.arange(cells)), 0, None)
    shares: Array = under / under.sum(1, keepdims=True)
    return shares


def namespace(array: Any) -> Any:
    """The module of an array's library: numpy or cupy."""
    return sys.modules[type(array).__module__.partition(".")[0]]
