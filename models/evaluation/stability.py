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

from ..clustering.partitions import METHODS, Method, partitions
from ..clustering.threads import one_thread
from ..seeds import numpy_generator

Array = npt.NDArray[Any]
MAX_POINTS = 3000
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
class Redraws:
    """How often the data are drawn again, and what is tried on them. The defaults suit thousands of points."""

    draws: int = 8
    """Labellings of the points, the first one from all of them."""
    structureless: int = 1
    """Gaussian sets, and as many boxes; few points vary more, and need more sets for the same certainty."""
    points_per_cluster: int = 10
    """Points for each cluster, on average, of the largest K that is tried."""
    methods: tuple[Method, ...] = METHODS


THOUSANDS = Redraws()
"""For patches of images."""
DOZENS = Redraws(draws=16, structureless=4, points_per_cluster=6)
"""For some dozens to hundreds of points. Of 96 sets of 12 to 43 points without structure two have a K of 2 (see
docs/benchmarks.md); with the draws and sets of thousands it is one in nine."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The number of kinds that can be told apart reproducibly."""

    clusters: int
    """1 where no K passes."""
    method: Method
    passing: tuple[int, ...]


def reproducibility(
    points_NC: Array, ks: Sequence[int], seed: int = 0, groups_N: Array | None = None, redraws: Redraws = THOUSANDS
) -> list[Reproducibility]:
    """Reproducibility of every K by every method, on at most `MAX_POINTS` points drawn by the seed.

    `groups_N`: the slide of each point, or None. Ks that leave fewer than `redraws.points_per_cluster` points for a cluster
    are left out, but for the smallest.
    """
    draw = numpy_generator(seed, "stability")
    rows = np.sort(draw.choice(len(points_NC), min(MAX_POINTS, len(points_NC)), replace=False))
    points = np.asarray(points_NC[rows], np.float64)
    groups = None if groups_N is None else groups_N[rows]
    tried = [k for k in ks if k <= max(min(ks), len(points) // redraws.points_per_cluster)]
    with one_thread():
        nulls = [null for _ in range(redraws.structureless) for null in _structureless(points, draw)]
        empty = [_labellings(null, tried, seed, groups, redraws) for null in nulls]
        found = _labellings(points, tried, seed, groups, redraws)
    return [
        Reproducibility(
            k,
            method,
            rand=mean_rand(found[method, k]),
            chance=max(mean_rand(labels[method, k]) for labels in empty),
            jaccard=_jaccard(found[method, k], k),
        )
        for method in redraws.methods
        for k in tried
    ]


def recommend(rows: Sequence[Reproducibility]) -> Recommendation:
    """The largest passing K whose index is near the best, by the first method that has one; K = 1 where none passes."""
    methods = tuple(dict.fromkeys(row.method for row in rows))
    for method in methods:
        passing = {row.clusters: row.rand for row in rows if row.method == method and row.passes}
        if passing:
            best = max(k for k, rand in passing.items() if rand >= max(passing.values()) - RAND_TOLERANCE)
            return Recommendation(best, method, tuple(sorted(passing)))
    return Recommendation(1, methods[-1] if methods else METHODS[-1], ())


def _labellings(
    points: Array, ks: Sequence[int], seed: int, groups: Array | None, redraws: Redraws
) -> dict[tuple[Method, int], list[Array]]:
    """(method, K) -> labels of all points, by clusters of all points first and then of each draw."""
    out: dict[tuple[Method, int], list[Array]] = {(method, k): [] for method in redraws.methods for k in ks}
    for number in range(redraws.draws):
        rows = _drawn(len(points), groups, numpy_generator(seed, "draw", number)) if number else np.arange(len(points))
        for method in redraws.methods:
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
    return float(np.mean([adjusted_rand(a, b) for a, b in combinations(labellings, 2)]))


def adjusted_rand(first: Array, second: Array) -> float:
    """Adjusted Rand index of two labellings (Hubert & Arabie 1985), int (N,) from 0; 1 where both have one cluster.

    scikit-learn's takes a millisecond to check its input, and some dozen points are compared ten thousand times.

    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])), adjusted_rand(np.zeros(4), np.array([0, 0, 1, 1]))
    (1.0, 0.0)
    """
    first, second = np.asarray(first, np.int64), np.asarray(second, np.int64)
    columns = int(second.max()) + 1
    table = np.bincount(first * columns + second, minlength=(int(first.max()) + 1) * columns).reshape(-1, columns)
    same, by_first, by_second, all_pairs = (
        float((n * (n - 1)).sum()) / 2 for n in (table, table.sum(1), table.sum(0), np.array([len(first)]))
    )
    chance = by_first * by_second / max(all_pairs, 1.0)
    most = (by_first + by_second) / 2
    return (same - chance) / (most - chance) if most != chance else 1.0


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
