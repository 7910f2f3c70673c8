"""Metrics: agreement of clusters with known classes, and clusters that follow a slide instead of a tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.metrics import adjusted_rand_score, mutual_info_score, normalized_mutual_info_score

Array = npt.NDArray[Any]


def contingency(rows: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Counts (row value, column value) with the sorted values of each side."""
    row_values, row_index = np.unique(rows, return_inverse=True)
    column_values, column_index = np.unique(columns, return_inverse=True)
    table = np.zeros((len(row_values), len(column_values)), np.int64)
    np.add.at(table, (row_index.ravel(), column_index.ravel()), 1)
    return table, row_values, column_values


def matched_accuracy(classes: Array, clusters: Array) -> float:
    """Share of items whose cluster is matched to their class by the best one-to-one matching.

    >>> matched_accuracy(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 2]))
    0.75
    """
    table, _, _ = contingency(classes, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / max(1, table.sum()))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of clusters with classes; every figure is 1 at best."""

    accuracy: float
    """Matched accuracy; a value up to the share of the largest class shows no agreement."""
    nmi: float
    """Normalised mutual information (arithmetic mean)."""
    ari: float
    """Adjusted Rand index: 0 by chance."""


def agreement(classes: Array, clusters: Array) -> Agreement:
    """All figures of agreement between clusters and known classes, both (n,) integers."""
    return Agreement(
        accuracy=matched_accuracy(classes, clusters),
        nmi=float(normalized_mutual_info_score(classes, clusters)),
        ari=float(adjusted_rand_score(classes, clusters)),
    )


@dataclass(frozen=True, slots=True)
class SlideDependence:
    """Dependence between a tile's cluster and its slide."""

    nmi: float
    """Normalised mutual information of cluster and slide (arithmetic mean): 0 if all slides have the same shares."""
    single_slide: tuple[int, ...]
    """Clusters, counted from 1, that are specific to one slide (see `slide_dependence`)."""


def slide_dependence(counts: Array, threshold: float = 0.9) -> SlideDependence:
    """Which clusters follow a slide and not a tissue, from tiles by (cluster, slide).

    A cluster is reported if over `threshold` of its tiles would lie on one slide after every slide is weighted to the
    same number of tiles, so that large slides do not decide. With fewer than three slides no cluster is reported: a tissue
    that only one of two patients has is no artefact. Clusters of under 20 tiles are not judged.
    """
    per_slide = counts / np.maximum(counts.sum(0), 1)
    balanced = per_slide.max(1) / np.maximum(per_slide.sum(1), 1e-12)
    enough = (counts.sum(1) >= 20) & (np.count_nonzero(counts.sum(0)) >= 3)
    return SlideDependence(
        nmi=_normalised_information(counts),
        single_slide=tuple((np.flatnonzero(enough & (balanced > threshold)) + 1).tolist()),
    )


def _normalised_information(counts: Array) -> float:
    joint = counts / max(1, counts.sum())
    rows, columns = joint.sum(1), joint.sum(0)
    mean = (entropy(rows[rows > 0]) + entropy(columns[columns > 0])) / 2
    return float(mutual_info_score(None, None, contingency=counts) / mean) if mean > 1e-12 else 0.0
