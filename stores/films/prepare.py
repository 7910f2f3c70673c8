"""Preparation of films: a square of one size, the film's aspect kept, without aliasing."""

from __future__ import annotations

import numpy as np

from ..frame import Array


def prepared(film_values: Array, side: int) -> Array:
    """A film (y, x) as float32 (side, side): its long side becomes `side`, the film is centred, and the rest is its minimum.

    ```text
    |mmm|ffffff|mmm|   m the film's minimum, f the film
    ```
    Pixels are averaged over areas where the film shrinks, and interpolated linearly where it grows. Raises ValueError for a
    side below 1 or a film without pixels. Source: Kurotaki et al., section 2.3.
    """
    import cv2

    if side < 1 or film_values.ndim != 2 or not film_values.size:
        raise ValueError(f"a film (y, x) is prepared to a side of 1 or more: {film_values.shape} to {side} cannot be.")
    values = np.ascontiguousarray(film_values, np.float32)
    longest = max(values.shape)
    height, width = (min(side, max(1, round(n * side / longest))) for n in values.shape)
    if (height, width) != values.shape:
        method = cv2.INTER_AREA if side < longest else cv2.INTER_LINEAR
        values = np.asarray(cv2.resize(values, (width, height), interpolation=method), np.float32)
    low, high = film_values.min(), film_values.max()
    square = np.full((side, side), low, np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    np.clip(values, low, high, out=square[top : top + height, left : left + width])  # rounding may leave the range
    return square
