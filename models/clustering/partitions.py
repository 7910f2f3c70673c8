"""Partitions of points at every K, by three methods, with the centres that assign new points.

```text
separate     32 fine clusters (k-means), merged along the graph of neighbours; cut at every K
continuous   k-means at every K
ward         each point is a fine cluster; the pair whose union is tightest is merged (Ward 1963, JASA 58:236); for few points
```
The first finds kinds with gaps between them, whatever their sizes and shapes; a continuum has no gaps, and is cut reproducibly,
if at all, by the second.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from .agglomeration import merges_of, neighbour_edges
from .distances import nearest_centre
from .threads import one_thread
from .tree import cut

Array = npt.NDArray[Any]
Method = Literal["separate", "continuous", "ward"]
METHODS: tuple[Method, ...] = ("separate", "continuous")
"""Those that are tried where none is asked for, in this order."""
FINE_CLUSTERS = 32
STARTS = 3
"""Initialisations of k-means; the best is kept."""


@dataclass(frozen=True, slots=True)
class Centres:
    """Centres of fine clusters, each of which belongs to a cluster; a point belongs to the cluster of its nearest centre."""

    places: Array
    """Coordinates of the centres (fine cluster, component)."""
    parents: Array
    """Fine cluster -> cluster, from 0."""

    def labels(self, points_NC: Array) -> Array:
        """Cluster of each point, int64 (N,)."""
        return np.asarray(self.parents[nearest_centre(points_NC, self.places)])


def k_means(points_NC: Array, clusters: int, seed: int, starts: int = STARTS) -> KMeans:
    """A fitted k-means of scikit-learn, with at most as many clusters as points; the same bytes on any number of cores."""
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than clusters
        return KMeans(min(clusters, len(points_NC)), n_init=starts, max_iter=100, random_state=seed).fit(points_NC)


def partitions(points_NC: Array, ks: Sequence[int], method: Method, seed: int) -> dict[int, Centres]:
    """K -> partition of the points into K clusters; of fewer points than that, each is a cluster."""
    if method == "continuous":
        places = {k: k_means(points_NC, k, seed).cluster_centers_ for k in ks}
        return {k: Centres(centres, np.arange(len(centres))) for k, centres in places.items()}
    if method == "ward":
        return {k: Centres(points_NC, labels) for k, labels in _ward(points_NC, ks).items()}
    count = min(max(FINE_CLUSTERS, *ks), len(points_NC))
    fine = k_means(points_NC, count, seed)
    merges = merges_of(neighbour_edges(points_NC, fine.labels_, count))
    return {k: Centres(fine.cluster_centers_, cut(merges, count, k)) for k in ks}


def _ward(points_NC: Array, ks: Sequence[int]) -> dict[int, Array]:
    """K -> cluster of each point, from 0 in the order of the points."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(points_NC) < 2:
        return {k: np.zeros(len(points_NC), np.int64) for k in ks}
    with one_thread():
        merges = linkage(points_NC, "ward")
    labels = {k: fcluster(merges, k, "maxclust") for k in ks}
    return {k: np.unique(found, return_inverse=True)[1].astype(np.int64) for k, found in labels.items()}
