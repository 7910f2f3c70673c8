"""Dunn index: smallest distance between clusters / largest diameter of a cluster, exact, without a full distance matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Array = npt.NDArray[Any]


def dunn(points: Array, labels: Array, chunk: int = 512) -> float:
    """min distance between points of two clusters / max distance within one; larger is better. Dunn 1974.

    nan with fewer than two clusters; inf if every cluster is one point (repeated). O(n²) time, O(chunk · n) memory.

    >>> dunn(np.array([[0.0], [1.0], [3.0], [5.0]]), np.array([0, 0, 1, 1]))  # gap 2, widest 2
    1.0
    """
    order, starts = _sorted(labels)
    if len(starts) < 2:
        return float("nan")
    points, group = points[order], _groups(starts, len(order))
    gap, width = np.inf, 0.0
    for start in range(0, len(points), chunk):
        rows = slice(start, start + chunk)
        a, b = _extremes(cdist(points[rows], points), group[rows], starts)
        gap, width = min(gap, a), max(width, b)
    return float(gap / width) if width > 0 else float("inf")


def dunn_of_distances(distances: Array, labels: Array) -> float:
    """`dunn` from a full distance matrix (n, n)."""
    order, starts = _sorted(labels)
    if len(starts) < 2:
        return float("nan")
    gap, width = _extremes(distances[np.ix_(order, order)], _groups(starts, len(order)), starts)
    return float(gap / width) if width > 0 else float("inf")


def trimmed(points: Array, labels: Array, share: float = 0.01) -> Array:
    """Mask (n,) of the points that stay when each cluster loses the `share` farthest from its mean (rounded down; at least
    one of 20 points).

    Single outliers decide Dunn's index; without them it describes the clusters.
    """
    keep = np.ones(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        removals = max(int(len(members) * share), 1 if len(members) >= 20 else 0)
        if removals:
            distances = np.linalg.norm(points[members] - points[members].mean(0), axis=1)
            keep[members[np.argsort(distances, kind="stable")[-removals:]]] = False
    return keep


def _sorted(labels: Array) -> tuple[Array, Array]:
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    return order, starts


def _groups(starts: Array, count: int) -> Array:
    return np.searchsorted(starts, np.arange(count), side="right") - 1


def _extremes(distances: Array, rows: Array, starts: Array) -> tuple[float, float]:
    """(smallest distance between clusters, largest within one) of rows of a distance matrix; columns are sorted by cluster."""
    own = np.arange(len(starts)) == rows[:, None]
    nearest = np.minimum.reduceat(distances, starts, axis=1)
    farthest = np.maximum.reduceat(distances, starts, axis=1)
    return float(nearest[~own].min()), float(farthest[own].max())
