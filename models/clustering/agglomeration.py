"""Agglomeration: clusters are merged two by two along the graph of nearest neighbours (Bonald et al. 2018, "Paris").

```text
points -> fine clusters (k-means) -> edges between them: each point to its 10 nearest
closest pair = most edges for the two clusters' sizes; merged until one is left
```
Two halves of one dense region share many edges whatever their sizes, two separate regions share none. So a rare kind is not
swallowed by a frequent one, and a frequent one is not cut in pieces, as with distances between centres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .tree import Merge

Array = npt.NDArray[Any]
NEIGHBOURS = 10
"""Nearest neighbours of a point that are its edges, ..."""
FEWEST_NEIGHBOURS, POINTS_PER_NEIGHBOUR = 3, 8
"""... of few points one for every eight, at least three: with more, a group of eight points has most of its edges outside."""
FAINT = 1e-3
"""Weight of an edge that every pair has by its sizes alone, so that clusters without common edges merge in a fixed order."""


def neighbour_edges(points_NC: Array, labels_N: Array, clusters: int, neighbours: int = 0) -> Array:
    """Number of edges between every two clusters (J, J), symmetric, float64; labels run from 0 to `clusters` - 1.

    Each point has edges to its `neighbours` nearest; 0 stands for the usual number.
    """
    usual = min(NEIGHBOURS, max(FEWEST_NEIGHBOURS, len(points_NC) // POINTS_PER_NEIGHBOUR))
    count = min(neighbours or usual, len(points_NC) - 1)
    edges = np.zeros((clusters, clusters))
    if count > 0:
        _, near_NM = cKDTree(points_NC).query(points_NC, count + 1)  # the first is the point itself
        np.add.at(edges, (np.repeat(labels_N, count), labels_N[near_NM[:, 1:]].ravel()), 1.0)
    return edges + edges.T


def merges_of(edges_JJ: Array) -> tuple[Merge, ...]:
    """The J - 1 merges of J clusters by the edges between them; the distance is size · size / (edges · all edges)."""
    weights = edges_JJ + FAINT * np.outer(edges_JJ.sum(1), edges_JJ.sum(1)) / max(edges_JJ.sum(), 1.0)
    weights += 1e-9  # clusters without any point
    size, total = weights.sum(1), weights.sum()
    standing = list(range(len(weights)))
    merges = []
    while len(standing) > 1:
        index = np.ix_(standing, standing)
        closeness = weights[index] * total / np.outer(size[standing], size[standing])
        np.fill_diagonal(closeness, -1.0)
        i, j = sorted(np.unravel_index(closeness.argmax(), closeness.shape))
        first, second = standing[int(i)], standing[int(j)]
        merges.append(Merge(first, second, float(1.0 / closeness[i, j])))
        weights[first] += weights[second]
        weights[:, first] += weights[:, second]
        size[first] += size[second]
        standing.remove(second)
    return tuple(merges)
