"""Colour: stored samples to what a model sees: grey, RGB or plain channels, without alpha, palettes or inks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frame import Array

_BLOCK = 256
"""Rows mixed at once, so that a large picture does not become several larger ones."""


def over(colour: Array, alpha: Array, background: int) -> Array:
    """Straight `alpha` (y, x) lays `colour` (y, x, channel) over a background; rounds half up, same dtype."""
    top = int(np.iinfo(colour.dtype).max)
    if int(alpha.min(initial=top)) == top:
        return colour
    mixed = np.empty_like(colour)
    for row in range(0, len(colour), _BLOCK):
        rows = slice(row, row + _BLOCK)
        share = alpha[rows].astype(np.uint64)[..., None]
        mixed[rows] = (colour[rows] * share + np.uint64(background) * (top - share) + top // 2) // top
    return mixed


def from_cmyk(inks: Array) -> Array:
    """RGB (y, x, 3) of (y, x, 4) inks without a colour profile: light left over by ink and black."""
    top = np.float32(np.iinfo(inks.dtype).max)
    light = (top - inks.astype(np.float32)) / top
    mixed: Array = np.floor(light[..., :3] * light[..., 3:] * top + np.float32(0.5))
    return mixed.astype(inks.dtype)


def from_palette(indices: Array, table: Array) -> Array:
    """RGB (y, x, 3) uint8 of indices (y, x) into a table (entry, 3) of 8 bits; indices beyond it take the last."""
    flat: Array = table[np.minimum(indices, len(table) - 1)]
    return flat


def inverted(samples: Array) -> Array:
    """Grey whose zero is white, turned round."""
    top: Any = np.iinfo(samples.dtype).max
    turned: Array = top - samples
    return turned
