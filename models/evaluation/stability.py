"""Stability: how many clusters come back when the data are drawn again, and by how much more than without any structure.

```text
points -+- drawn again with replacement (patches, or whole slides), 8 times -> clusters -> all points, labelled 8 times
        +- 2 structureless sets of the same size: Gaussian of the same covariance, uniform box of the components
reproducibility of K: mean adjusted Rand index (corrected for chance) of every two labellings
```
A K passes where that index is at least 0.75, no cluster is dissolved (mean Jaccard index of a cluster and its best match below
0.6; Hennig 2007, Computational Statistics & Data Analysis 52:258), and the index is 0.05 above that of structureless data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from ..clustering.partitions import METHODS, Method, partitions
from ..seeds import numpy_generator

Array = npt.NDArray[Any]
MAX_POINTS = 3000
DRAWS = 8
MIN_GROUPS = 5
"""Whole slides are drawn again where the points are of at least this many."""
MIN_RAND, MIN_JACCARD, MIN_EXCESS = 0.75, 0.6, 0.05
RAND_TOLERANCE = 0.08
"""Of the passing Ks whose index is within this of the best, the largest is recommended."""


@dataclass(frozen=True, slots=True)
class Reproducibility:
    """How well the clusters of one K and method come back."""

    clusters: int
    method: Method
    rand: float
    """Mean adjusted Rand index of every two labellings: 1 for the same clusters, 0 for chance."""
    chance: float
    """The same for structureless data: the larger of the two sets."""
    jaccard: tuple[float, ...]
    """Cluster -> mean Jaccard index of the cluster and its best match; stable from 0.75, dissolved below 0.6."""

    @property
    def passes(self) -> bool:
        return self.rand >= MIN_RAND and min(self.jaccard) >= MIN_JACCARD and self.excess >= MIN_EXCESS

    @property
    def excess(self) -> float:
        return self.rand - self.chance


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The number of kinds that can be told apart reproducibly."""

    clusters: int
    """1 where no K passes."""
    method: Method
    passing: tuple[int, ...]


def reproducibility(
    points_NC: Array, ks: Sequence[int], seed: int = 0, groups_N: Array | None = None
) -> list[Reproducibility]:
    """Reproducibility of every K by both methods, on at most `MAX_POINTS` points drawn by the seed.

    `groups_N`: the slide of each point, or None. Ks of more than a tenth of the points are left
    out, but for the smallest.
    """
    draw = numpy_generator(seed, "stability")
    rows = np.sort(draw.choice(len(points_NC), min(MAX_POINTS, len(points_NC)), replace=False))
    points = np.asarray(points_NC[rows], np.float64)
    groups = None if groups_N is None else groups_N[rows]
    tried = [k for k in ks if k <= max(min(ks), len(points) // 10)]
    with threadpool_limits(1):
        empty = [_labellings(null, tried, seed, groups) for null in _structureless(points, draw)]
        found = _labellings(points, tried, seed, groups)
    return [
        Reproducibility(
            k,
            method,
            rand=mean_rand(found[method, k]),
            chance=max(mean_rand(labels[method, k]) for labels in empty),
            jaccard=_jaccard(found[method, k], k),
        )
        for method in METHODS
        for k in tried
    ]


def recommend(rows: Sequence[Reproducibility]) -> Recommendation:
    """The largest passing K whose index is near the best, by the first method that has one; K = 1 where none passes."""
    for method in METHODS:
        passing = {row.clusters: row.rand for row in rows if row.method == method and row.passes}
        if passing:
            best = max(k for k, rand in passing.items() if rand >= max(passing.values()) - RAND_TOLERANCE)
            return Recommendation(best, method, tuple(sorted(passing)))
    return Recommendation(1, "continuous", ())


def _labellings(
    points: Array, ks: Sequence[int], seed: int, groups: Array | None
) -> dict[tuple[Method, int], list[Array]]:
    """(method, K) -> labels of all points, by clusters of all points first and then of each draw."""
    out: dict[tuple[Method, int], list[Array]] = {(method, k): [] for method in METHODS for k in ks}
    for number in range(DRAWS):
        rows = _drawn(len(points), groups, numpy_generator(seed, "draw", number)) if number else np.arange(len(points))
        for method in METHODS:
            for k, centres in partitions(points[rows], ks, method, seed + number).items() if ks else ():
                out[method, k].append(centres.labels(points))
    return out


def _drawn(count: int, groups: Array | None, draw: np.random.Generator) -> Array:
    """Different rows of a draw with replacement: a repeated point has no neighbours but itself."""
    ids = np.unique(groups) if groups is not None else ()
    if groups is None or len(ids) < MIN_GROUPS:
        return np.unique(draw.integers(0, count, count))
    return np.flatnonzero(np.isin(groups, draw.choice(ids, len(ids))))


def _structureless(points: Array, draw: np.random.Generator) -> tuple[Array, Array]:
    """(Gaussian of the same covariance, uniform box); the points' axes are principal components."""
    gaussian = draw.normal(size=points.shape) * points.std(0)
    box = draw.uniform(points.min(0), points.max(0), points.shape)
    return gaussian, box


def mean_rand(labellings: Sequence[Array]) -> float:
    """Mean adjusted Rand index of every two of at least two labellings."""
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labellings, 2)]))


def _jaccard(labellings: Sequence[Array], clusters: int) -> tuple[float, ...]:
    """Mean Jaccard index of each cluster of the first labelling and its best match in the others."""
    reference = np.eye(clusters, dtype=bool)[labellings[0]]
    scores = []
    for labels in labellings[1:]:
        other = np.eye(clusters, dtype=bool)[labels]
        both = reference.T.astype(float) @ other
        either = reference.sum(0)[:, None] + other.sum(0)[None, :] - both
        scores.append((both / np.maximum(either, 1)).max(1))
    return tuple(np.mean(scores, axis=0).tolist())
