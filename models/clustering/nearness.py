"""Nearness: which clusters are most alike, by the distance of their centres in the space of the clustering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Nearness:
    """The other clusters of each cluster, nearest first."""

    order: Array
    """Index of each cluster's other clusters, int64 (K, K - 1)."""
    distances: Array
    """Their distances, float64 (K, K - 1)."""


def nearness(centres_JC: Array, groups_J: Array, weights_J: Array, clusters: int) -> Nearness:
    """Distances of clusters that are groups (from 0) of fine clusters; a cluster's centre is the weighted mean of theirs.

    Fine clusters without weight count where all those of a cluster have none. A group without fine clusters is far from all.

    >>> found = nearness(np.array([[0.0], [2.0], [5.0], [9.0]]), np.array([0, 0, 1, 2]), np.array([1, 1, 1, 1]), 3)
    >>> found.order.tolist(), found.distances.tolist()
    ([[1, 2], [0, 2], [1, 0]], [[4.0, 8.0], [4.0, 4.0], [4.0, 8.0]])
    """
    centres = np.full((clusters, centres_JC.shape[1]), np.nan)
    for group in np.unique(groups_J):
        members = groups_J == group
        weights = weights_J[members].astype(float)
        centres[group] = np.average(centres_JC[members], axis=0, weights=weights if weights.any() else None)
    gaps = np.sqrt(np.square(centres[:, None] - centres[None]).sum(-1))
    np.fill_diagonal(gaps, -1.0)
    order = np.argsort(np.nan_to_num(gaps, nan=np.inf), axis=1, kind="stable")[:, 1:]
    return Nearness(order, np.take_along_axis(gaps, order, 1))
