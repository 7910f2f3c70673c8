"""Value range: which stored value is black and which is white, where a file does not say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..frame import Array

DETECTOR_BITS = (8, 10, 12, 14, 16)
"""Bits of grey values in use; files of 16 bits often hold fewer and do not say so."""
OVERSHOOT = 0.1
"""By how much values of 0 to 1 may lie beyond it."""
LEAST_OF_BYTES = 2.0
"""Largest value, at least, of floating-point numbers that are taken for 0 to 255."""
ROBUST_PERCENTILES = (0.1, 99.9)
"""Percentiles of a film that become black and white where nothing else is known."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Stored values of black and of white."""

    low: float
    high: float
    note: str = ""
    """What was guessed; empty where nothing was."""

    def apply(self, stored: Array) -> Array:
        """float32 in [0, 1]; values beyond the range are clipped."""
        width = self.high - self.low
        values = (stored.astype(np.float32) - np.float32(self.low)) / np.float32(width if width > 0 else 1.0)
        return np.clip(values, 0.0, 1.0, out=values)


def stated_range(low: float, high: float, dtype: np.dtype[np.generic]) -> ValueRange | None:
    """The range of values between `low` and `high` of a type, where both fit a usual one; else None.

    >>> stated_range(0, 3011, np.dtype("u2")).high, stated_range(0, 0.8, np.dtype("f4")).high
    (4095.0, 1.0)
    """
    if dtype == np.bool_:
        return ValueRange(0.0, 1.0)
    if dtype == np.uint8:
        return ValueRange(0.0, 255.0)
    if dtype.kind in "iu" and low >= 0 and high < 2**16:
        bits = bits_of(high)
        return ValueRange(0.0, 2.0**bits - 1.0, f"states no range of its values; {bits} bits hold its maximum")
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return ValueRange(0.0, 1.0)
    if dtype.kind == "f" and low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return ValueRange(0.0, 1.0, "has values a little beyond 0 to 1, as interpolation leaves them: they are cut off")
    if dtype.kind == "f" and low >= 0 and LEAST_OF_BYTES <= high <= 255:
        return ValueRange(0.0, 255.0, "states no range of its values; 0 to 255 is assumed")
    return None


def bits_of(maximum: float) -> int:
    """The smallest of `DETECTOR_BITS` that holds a value.

    >>> bits_of(255), bits_of(1023), bits_of(1024)
    (8, 10, 12)
    """
    return next(bits for bits in DETECTOR_BITS if maximum < 2**bits)


def robust_range(values: Array, why: str, weights: Sequence[int] | Array | None = None) -> ValueRange:
    """The range between `ROBUST_PERCENTILES` of values, or of values that stand `weights` times each."""
    if weights is None:
        low, high = (float(v) for v in np.percentile(values, ROBUST_PERCENTILES)) if values.size else (0.0, 1.0)
    else:
        order = np.argsort(values, kind="stable")
        below = np.cumsum(np.asarray(weights)[order])
        ranks = [share / 100 * below[-1] for share in ROBUST_PERCENTILES]
        places = [min(int(np.searchsorted(below, rank)), len(order) - 1) for rank in ranks]
        low, high = (float(values[order[place]]) for place in places)
        if low == high:
            low, high = float(values.min()), float(values.max())
    words = " to ".join(f"{share:g}" for share in ROBUST_PERCENTILES)
    return ValueRange(low, high, f"{why}; percentiles {words} of its pixels, {low:g} to {high:g}, are black and white")
