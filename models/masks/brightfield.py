"""Brightfield or fluorescence: which of the two an overview is, and the overview as the tissue mask reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CORNER = 16
"""One over the part of each side that a corner has."""


def as_brightfield(overview_CYX: Array, *, said: bool) -> Array | None:
    """An overview as 8-bit RGB (3, Y, X); None where it is fluorescence: any number of channels but three, or dark corners.

    `said`: whether the file says that its background is bright, such as by its photometric interpretation. Where it does not,
    the corners decide. Values of 16 bits are scaled by the bits in use: 12-bit cameras fill a sixteenth of the range.
    """
    if len(overview_CYX) != 3 or not (said or _bright_corners(overview_CYX)):
        return None
    if overview_CYX.dtype == np.uint8:
        return overview_CYX
    fill = np.iinfo(overview_CYX.dtype).max  # what was not scanned says nothing about the bits in use
    scanned = overview_CYX[overview_CYX < fill]
    top = (1 << int(scanned.max(initial=255)).bit_length()) - 1
    return (np.minimum(overview_CYX, top).astype(np.float32) * (255 / top) + 0.5).astype(np.uint8)


def bright_tissue(overview_CYX: Array, *, said: bool) -> Array:
    """An overview on which tissue is bright: the overview itself, or one grey channel of brightfield inverted."""
    if len(overview_CYX) != 1 or not (said or _bright_corners(overview_CYX)):
        return overview_CYX
    return np.asarray(overview_CYX.max() - overview_CYX)


def _bright_corners(overview: Array) -> bool:
    """Whether the corners are nearer to the brightest pixels than to zero."""
    grey = overview.mean(0)
    height, width = (max(1, n // CORNER) for n in grey.shape)
    corners = [grey[y, x] for y in (slice(height), slice(-height, None)) for x in (slice(width), slice(-width, None))]
    middle = float(np.median(np.concatenate([corner.ravel() for corner in corners])))
    return 2 * middle > float(np.percentile(grey, 99.5))
