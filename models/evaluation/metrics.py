"""Metrics: agreement of clusters with known classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

Array = npt.NDArray[Any]


def contingency(rows: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Counts (row value, column value) with the sorted values of each side."""
    row_values, row_index = np.unique(rows, return_inverse=True)
    column_values, column_index = np.unique(columns, return_inverse=True)
    table = np.zeros((len(row_values), len(column_values)), np.int64)
    np.add.at(table, (row_index.ravel(), column_index.ravel()), 1)
    return table, row_values, column_values


def confusion(classes: Array, guesses: Array, count: int) -> Array:
    """Counts int (count, count): rows are the classes, columns the guesses, both from 0.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (classes, guesses), 1)
    return table


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
