"""Colour: conversion of stored samples to grey, RGB or plain channels, without alpha, palettes or inks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..frame import Array

GREY_WITHIN = 24
"""Largest distance from 128 of the chroma of bright pixels."""
_BLOCK = 256
"""Rows that are converted at once, to limit memory."""


def over(colour: Array, alpha: Array, background: int) -> Array:
    """Blend `colour` (y, x, channel) by straight `alpha` (y, x) over a background value; rounds half up, same dtype."""
    top = int(np.iinfo(colour.dtype).max)

    def mix(part: Array, share: Array) -> Array:
        return np.asarray((part * share + np.uint64(background) * (top - share) + top // 2) // top)

    return _blended(colour, alpha, mix)


def over_premultiplied(colour: Array, alpha: Array, background: int) -> Array:
    """Add a background value to `colour` (y, x, channel) that was multiplied by its `alpha` (y, x) before; same dtype."""
    top = int(np.iinfo(colour.dtype).max)

    def mix(part: Array, share: Array) -> Array:
        return np.minimum(part + (np.uint64(background) * (top - share) + top // 2) // top, top)

    return _blended(colour, alpha, mix)


def _blended(colour: Array, alpha: Array, mix: Callable[[Array, Array], Array]) -> Array:
    """`mix` of the colours and their alpha (uint64, last axis 1), a block of rows at a time; opaque colours as they are."""
    top = int(np.iinfo(colour.dtype).max)
    if int(alpha.min(initial=top)) == top:
        return colour
    mixed = np.empty_like(colour)
    for row in range(0, len(colour), _BLOCK):
        rows = slice(row, row + _BLOCK)
        mixed[rows] = mix(colour[rows], alpha[rows].astype(np.uint64)[..., None])
    return mixed


def from_ycbcr(samples: Array) -> Array:
    """RGB (y, x, 3) of full-range YCbCr (y, x, 3) of ITU-R BT.601, as JPEG has it, both uint8."""
    mixed = np.empty_like(samples)
    for row in range(0, len(samples), _BLOCK):
        rows = slice(row, row + _BLOCK)
        y, cb, cr = (
            np.moveaxis(samples[rows].astype(np.float32), -1, 0) - np.array([0, 128, 128], np.float32)[:, None, None]
        )
        rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
        mixed[rows] = np.clip(np.floor(rgb + np.float32(0.5)), 0, 255)
    return mixed


def looks_like_ycbcr(samples: Array) -> bool:
    """Whether three samples (y, x, 3) uint8 are YCbCr and not RGB; also where there are none to look at.

    Both differences of colour lie around 128 then, even where the first sample is brightest: on glass all samples of RGB are
    bright. Some writers of RGB use Aperio's compression for YCbCr.
    """
    if not samples.size:
        return True
    luma, chroma = samples[..., 0], samples[..., 1:3]
    bright = chroma[luma >= np.percentile(luma, 90)]
    return bool(
        (np.abs(np.median(bright, axis=0) - 128) <= GREY_WITHIN).all() and np.abs(bright - 128.0).mean() <= GREY_WITHIN
    )


def from_cmyk(inks: Array) -> Array:
    """RGB (y, x, 3) of CMYK inks (y, x, 4), without a colour profile."""
    top = np.float32(np.iinfo(inks.dtype).max)
    light = (top - inks.astype(np.float32)) / top
    mixed: Array = np.floor(light[..., :3] * light[..., 3:] * top + np.float32(0.5))
    return mixed.astype(inks.dtype)


def from_palette(indices: Array, table: Array) -> Array:
    """RGB (y, x, 3) uint8 of indices (y, x) into a table (entry, 3) of 8 bits; larger indices use the last entry."""
    flat: Array = table[np.minimum(indices, len(table) - 1)]
    return flat


def inverted(samples: Array) -> Array:
    """Grey values whose zero is white, inverted."""
    top: Any = np.iinfo(samples.dtype).max
    turned: Array = top - samples
    return turned
