"""Metrics: how clusters compare with known classes, and whether they follow tissue or merely tell slides apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

Array = npt.NDArray[Any]


def contingency(rows: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Counts (row value, column value) with the sorted values of each side."""
    row_values, row_index = np.unique(rows, return_inverse=True)
    column_values, column_index = np.unique(columns, return_inverse=True)
    table = np.zeros((len(row_values), len(column_values)), np.int64)
    np.add.at(table, (row_index.ravel(), column_index.ravel()), 1)
    return table, row_values, column_values


def matched_accuracy(classes: Array, clusters: Array) -> float:
    """Share of items whose cluster is the one matched to their class, by the best one-to-one matching.

    >>> matched_accuracy(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 2]))
    0.75
    """
    table, _, _ = contingency(classes, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / max(1, table.sum()))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Clusters against classes; all 1 at best."""

    accuracy: float
    """Matched accuracy; no better than the largest class's share means nothing."""
    nmi: float
    """Normalised mutual information (arithmetic mean)."""
    ari: float
    """Adjusted Rand index: 0 by chance."""


def agreement(classes: Array, clusters: Array) -> Agreement:
    """All figures of clusters against known classes."""
    return Agreement(
        accuracy=matched_accuracy(classes, clusters),
        nmi=float(normalized_mutual_info_score(classes, clusters)),
        ari=float(adjusted_rand_score(classes, clusters)),
    )


@dataclass(frozen=True, slots=True)
class SlideDependence:
    """What clusters say about the slide a tile came from."""

    table: Array
    """Tiles by (cluster, slide)."""
    clusters: Array
    slides: Array
    nmi: float
    """Normalised mutual information of cluster and slide."""
    adjusted: float
    """The same less what chance gives: 0 if clusters and slides are independent."""
    largest_share: Array
    """For each cluster the share of its tiles on the slide that has most of them."""
    single_slide: Array
    """For each cluster, whether it merely tells one slide apart (see `slide_dependence`)."""


def slide_dependence(clusters: Array, slides: Array, threshold: float = 0.9) -> SlideDependence:
    """Which clusters follow a slide and not a tissue.

    A cluster is called out if over `threshold` of its tiles would be on one slide after every slide is given the same
    number of tiles: then large slides are not to blame. With fewer than three slides, nothing is called out: a
    tissue that only one of two patients has is no artefact. Clusters of under 20 tiles are left alone.
    """
    table, cluster_values, slide_values = contingency(clusters, slides)
    per_slide = table / np.maximum(table.sum(0), 1)
    balanced = per_slide.max(1) / np.maximum(per_slide.sum(1), 1e-12)
    enough = (table.sum(1) >= 20) & (len(slide_values) >= 3)
    return SlideDependence(
        table=table,
        clusters=cluster_values,
        slides=slide_values,
        nmi=float(normalized_mutual_info_score(slides, clusters)),
        adjusted=float(adjusted_mutual_info_score(slides, clusters)),
        largest_share=table.max(1) / np.maximum(table.sum(1), 1),
        single_slide=enough & (balanced > threshold),
    )
