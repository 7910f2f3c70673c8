"""Distances of points to centres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def nearest_centre(points_NC: Array, centres_JC: Array) -> Array:
    """Index of the nearest centre of each point, int64 (N,)."""
    return np.asarray(squared_gaps(points_NC, centres_JC).argmin(1))


def squared_gaps(points_NC: Array, centres_JC: Array) -> Array:
    """Squared distance of each point to each centre (N, J)."""
    lengths = (points_NC**2).sum(1)[:, None] + (centres_JC**2).sum(1)
    return np.asarray(np.maximum(lengths - 2 * points_NC @ centres_JC.T, 0.0))
