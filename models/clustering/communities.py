"""Communities: Leiden on the graph of nearest neighbours, its resolution searched for K communities.

```text
points -> edges to the 15 nearest -> Leiden at a resolution -> count of communities
                                       ^---- bisected until the count is K
```
Traag, Waltman, van Eck, Scientific Reports 9:5233 (2019), by modularity; the algorithm is igraph's. igraph is under the GPL, so
it is an extra that users install themselves, and nothing else needs it.
"""

from __future__ import annotations

import random
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MachineError
from ..seeds import derived_seed

Array = npt.NDArray[Any]
EDGES_PER_POINT = 15
"""Nearest neighbours of a point that are its edges."""
RESOLUTIONS = (1e-3, 1e2)
"""Resolutions between which the one with K communities is searched."""
MAX_TRIES = 16
"""Resolutions that are tried."""
ITERATIONS = 2


def leiden_available() -> bool:
    """Whether igraph is installed."""
    return find_spec("igraph") is not None


def check_leiden() -> None:
    """Raises MachineError where igraph is not installed."""
    if not leiden_available():
        raise MachineError(
            "the objective leiden needs the package igraph, which is not installed here. "
            "Install it with: pip install 'tile-engine[leiden]', or use another objective.",
            code="E_NO_IGRAPH",
        )


def leiden(near_NM: Array, clusters: int, seed: int) -> Array:
    """Community of each point, from 0, int64 (N,); `near_NM` are the nearest points of each.

    Where no resolution gives exactly `clusters` communities, the next finer division is merged along its edges. Fewer come out
    only where there are fewer points.
    """
    check_leiden()
    import igraph

    edges = _edges(near_NM)
    graph = igraph.Graph(n=len(near_NM), edges=edges)
    igraph.set_random_number_generator(random.Random(derived_seed(seed, "leiden", clusters)))
    try:
        labels = _searched(graph, clusters)
    finally:
        igraph.set_random_number_generator(random)
    return _merged(labels, edges, clusters)


def _edges(near_NM: Array) -> Array:
    """Pairs of points (E, 2), each once, the lower number first."""
    pairs = np.stack([np.repeat(np.arange(len(near_NM)), near_NM.shape[1]), near_NM.ravel()], 1)
    pairs.sort(axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _searched(graph: Any, clusters: int) -> Array:
    """Labels at the resolution with `clusters` communities, or at the lowest one tried that has more."""
    low, high = np.log(RESOLUTIONS)
    finer: Array = np.arange(graph.vcount())
    for _ in range(MAX_TRIES):
        middle = (low + high) / 2
        found = graph.community_leiden("modularity", resolution=float(np.exp(middle)), n_iterations=ITERATIONS)
        labels, count = np.asarray(found.membership, np.int64), len(found)
        if count == clusters:
            return labels
        if count > clusters:
            high = middle
            finer = labels if count < finer.max() + 1 else finer
        else:
            low = middle
    return finer


def _merged(labels: Array, edges: Array, clusters: int) -> Array:
    """Labels with the smallest communities joined to those they share most edges with, until `clusters` are left.

    The measure is edges by size; a community without edges to others is joined to the first one.
    """
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    while (count := int(labels.max()) + 1) > clusters:
        sizes = np.bincount(labels, minlength=count)
        least = int(sizes.argmin())
        ends = labels[edges]
        across = ends[(ends == least).sum(1) == 1]
        shared = np.bincount(across[across != least], minlength=count) / sizes
        shared[least] = -1.0
        labels[labels == least] = int(shared.argmax())
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return labels
