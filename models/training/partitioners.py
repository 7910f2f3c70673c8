"""Partitioners: the classical clusterings of points, each with the centres that assign new points.

```text
k-means   one centre a cluster
graph     32 fine clusters, merged along the graph of nearest neighbours
leiden    communities of the graph of nearest neighbours, with eight centres each, as a community need not be round
```
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from ..clustering.communities import check_leiden, leiden
from ..clustering.partitions import FINE_CLUSTERS, Centres, k_means, partitions
from ..neighbours.knn import nearest_patches

Array = npt.NDArray[Any]
MAX_GRAPH_POINTS = 10_000
"""Leiden works on at most this many points, spread evenly over all; centres assign the others."""
GRAPH_NEIGHBOURS = 15
"""Nearest neighbours of a point that are its edges."""
CENTRES_PER_COMMUNITY = 8
"""On colon tiles they assign 94 to 96 % of the patches as the graph does, one centre 87 to 92 %."""


class Partitioner(Protocol):
    """A clustering of points by centres."""

    def centres(self, clusters: int, points: int) -> int:
        """Number of centres for so many clusters of so many points."""
        ...

    def __call__(self, points_NC: Array, clusters: int, seed: int) -> Centres:
        """The clusters, from 0; each has a centre."""
        ...


class KMeans:
    """k-means: the best of three starts."""

    def centres(self, clusters: int, points: int) -> int:
        return clusters

    def __call__(self, points_NC: Array, clusters: int, seed: int) -> Centres:
        return partitions(points_NC, [clusters], "continuous", seed)[clusters]


class MergedGraph:
    """Fine clusters, merged along the graph of nearest neighbours."""

    def centres(self, clusters: int, points: int) -> int:
        return min(max(FINE_CLUSTERS, clusters), points)

    def __call__(self, points_NC: Array, clusters: int, seed: int) -> Centres:
        return partitions(points_NC, [clusters], "separate", seed)[clusters]


class Leiden:
    """Leiden on the graph of nearest neighbours. Raises MachineError where igraph is not installed."""

    def __init__(self) -> None:
        check_leiden()

    def centres(self, clusters: int, points: int) -> int:
        return CENTRES_PER_COMMUNITY * clusters

    def __call__(self, points_NC: Array, clusters: int, seed: int) -> Centres:
        points_NC = points_NC[:: -(-len(points_NC) // MAX_GRAPH_POINTS)]
        near_NM = nearest_patches(torch.from_numpy(points_NC).float(), GRAPH_NEIGHBOURS).numpy()
        labels_N = leiden(near_NM, clusters, seed)
        places = [_centres(points_NC[labels_N == k], CENTRES_PER_COMMUNITY, seed) for k in range(clusters)]
        return Centres(np.concatenate(places), np.repeat(np.arange(clusters), CENTRES_PER_COMMUNITY))


def _centres(points_NC: Array, count: int, seed: int) -> Array:
    """`count` centres of points; of fewer points some are repeated."""
    found = np.asarray(k_means(points_NC, min(count, len(points_NC)), seed).cluster_centers_)
    return found[np.arange(count) % len(found)]
