"""subject_distances: whether people stay themselves: distances between subjects keep their ranks when images are changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

Array = npt.NDArray[Any]
MIN_SUBJECTS = 3
"""Fewest subjects with ranks to compare: three have three distances."""


def rank_correlation(before: Array, after: Array) -> float:
    """Spearman's correlation of the Euclidean distances between all pairs of subjects, before and after.

    Both are (subjects, F), raw values or embeddings, row i of both of one subject. nan for fewer than three subjects, and where
    all distances are equal.

    >>> before = np.array([[0.0], [1.0], [5.0]])
    >>> rank_correlation(before, 2 * before + 3), rank_correlation(before, np.array([[0.0], [1.0], [1.5]]))
    (1.0, 0.5)
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} subjects before and {len(after)} after cannot be paired")
    if len(before) < MIN_SUBJECTS:
        return float("nan")
    first, second = pdist(before.astype(np.float64)), pdist(after.astype(np.float64))
    if not np.ptp(first) or not np.ptp(second):
        return float("nan")
    return float(spearmanr(first, second).statistic)
