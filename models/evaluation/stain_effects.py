"""stain_effects: how far the colours of a cluster lie from those of all others, stain by stain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FEWEST = 5
"""Tiles on both sides, at least."""
RIDGE = 1e-4
"""Added to variances of optical densities, so that a colour without spread has a finite distance."""


def stain_effects(colours_NSC: Array, cluster_N: Array) -> dict[int, list[float]]:
    """Cluster -> for each stain, the Mahalanobis distance of its mean optical densities from those of all other tiles.

    `colours_NSC` are mean intensities (tile, stain, channel), 0 to 255, nan where a tile has no such stain; the covariance is
    that within both sides, pooled. nan where a side has fewer than `FEWEST` tiles with the stain.

    >>> colours = np.full((40, 1, 3), 200.0) + np.arange(40)[:, None, None] % 5
    >>> colours[:20, :, 0] -= 100
    >>> bool(stain_effects(colours, np.repeat([1, 2], 20))[1][0] > 3)
    True
    """
    density = -np.log10((np.clip(colours_NSC, 0, 255) + 1) / 256)
    found = {}
    for cluster in np.unique(cluster_N).tolist():
        own = cluster_N == cluster
        found[int(cluster)] = [_distance(density[own, s], density[~own, s]) for s in range(density.shape[1])]
    return found


def _distance(one_NC: Array, other_NC: Array) -> float:
    sides = [values[np.isfinite(values).all(1)] for values in (one_NC, other_NC)]
    if min(map(len, sides)) < FEWEST:
        return float("nan")
    apart = sides[0].mean(0) - sides[1].mean(0)
    centred = np.concatenate([values - values.mean(0) for values in sides])
    within = centred.T @ centred / (len(centred) - 2) + RIDGE * np.eye(apart.size)
    return float(np.sqrt(apart @ np.linalg.solve(within, apart)))
