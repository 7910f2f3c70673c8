"""Division: each cluster is divided into fine clusters; fine clusters and clusters together are one tree.

```text
fine clusters   1 2 | 3 | 4 5 6     inside a cluster, by Ward's criterion: the pair whose union is tightest
clusters          A | B |   C       between clusters, along the graph of nearest neighbours
```
All merges inside clusters come before those of clusters, so a level of the tree is the clustering itself, coarser levels unite
its clusters, and finer ones divide them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .agglomeration import merges_of, neighbour_edges
from .distances import nearest_centre
from .partitions import FINE_CLUSTERS, k_means
from .tree import Merge

Array = npt.NDArray[Any]
MIN_FINE_POINTS = 20
"""A cluster is divided into fine clusters of at least this many points on average, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Division:
    """Fine clusters of points, and the tree of their merges."""

    places: Array
    """Coordinates of the centres (fine cluster, feature)."""
    parents: Array
    """Fine cluster -> cluster, from 0, int64."""
    labels: Array
    """Point -> fine cluster."""
    merges: tuple[Merge, ...]
    """In order: those inside clusters, then those of clusters."""


def divide(
    points_NC: Array,
    labels_N: Array,
    clusters: int,
    seed: int,
    *,
    most: int = FINE_CLUSTERS,
    least: int = MIN_FINE_POINTS,
) -> Division:
    """Divide clusters in proportion to their points into at most `most` fine clusters, at least one each.

    A fine cluster has at least `least` points on average. A cluster without points gets one fine cluster in the middle of all
    points.
    """
    counts = np.bincount(labels_N, minlength=clusters)
    further = (max(0, most - clusters) * counts / max(1, counts.sum())).astype(int)  # beyond the one of each cluster
    parts = np.maximum(1, np.minimum(1 + further, counts // least))
    places, labels = np.zeros((int(parts.sum()), points_NC.shape[1])), np.zeros(len(points_NC), np.int64)
    parents = np.repeat(np.arange(clusters), parts)
    for cluster in np.flatnonzero(counts):
        rows, at = np.flatnonzero(labels_N == cluster), np.flatnonzero(parents == cluster)
        places[at] = k_means(points_NC[rows], len(at), seed).cluster_centers_
        labels[rows] = at[nearest_centre(points_NC[rows], places[at])]
    inside = _ward_merges(places, parents, np.bincount(labels, minlength=len(parents)))
    between = merges_of(neighbour_edges(points_NC, labels_N, clusters))
    first = [int(np.flatnonzero(parents == cluster)[0]) for cluster in range(clusters)]
    united = tuple(Merge(first[m.first], first[m.second], m.height) for m in between)
    return Division(places, parents, labels, inside + united)


def most_fine_clusters(clusters: int, points: int, *, least: int = MIN_FINE_POINTS) -> int:
    """Fine clusters that `divide` makes at most of so many clusters and points.

    >>> most_fine_clusters(3, 50_000), most_fine_clusters(40, 50_000), most_fine_clusters(3, 100)
    (32, 40, 8)
    """
    return min(max(FINE_CLUSTERS, clusters), clusters + points // least)


def _ward_merges(places: Array, parents: Array, counts: Array) -> tuple[Merge, ...]:
    """Merges of fine clusters of one parent, tightest first; the height is the rise of the sum of squared distances."""
    places, sizes = places.copy(), np.maximum(counts, 1).astype(float)
    standing = np.ones(len(parents), bool)
    merges: list[Merge] = []
    apart = parents[:, None] != parents[None, :]
    np.fill_diagonal(apart, True)
    while True:
        rise = np.square(places[:, None] - places[None]).sum(-1) * np.outer(sizes, sizes) / np.add.outer(sizes, sizes)
        rise[apart | ~standing[:, None] | ~standing[None, :]] = np.inf
        if np.isinf(rise.min(initial=np.inf)):
            return tuple(merges)
        first, second = divmod(int(rise.argmin()), len(rise))
        merges.append(Merge(first, second, float(rise[first, second])))
        whole = sizes[first] + sizes[second]
        places[first] = (places[first] * sizes[first] + places[second] * sizes[second]) / whole
        sizes[first] = whole
        standing[second] = False
