"""ranking: how well scores rank cases of label 1 above those of label 0; fast enough for thousands of draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Array = npt.NDArray[Any]


def auroc(labels: Array, scores: Array) -> float:
    """Area under the ROC curve of `labels` 0 or 1 (n,): the share of pairs in the right order; ties count half.

    nan where there is one label only.

    >>> auroc(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    0.75
    """
    positive = np.asarray(labels) == 1
    m = int(positive.sum())
    n = len(positive) - m
    if not m or not n:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - m * (m + 1) / 2) / (m * n))


def auroc_within(labels: Array, scores: Array, groups: Array) -> tuple[float, float]:
    """(`auroc` over pairs of the same group, share of all pairs that they are); (nan, 0.0) where no group has both labels.

    Scores of two groups, such as two folds or two sites, are never compared.

    >>> auroc_within(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.8, 0.7]), np.array([0, 0, 1, 1]))
    (0.5, 0.5)
    """
    positive, score = np.asarray(labels) == 1, np.unique(scores, return_inverse=True)[1]
    group = np.unique(groups, return_inverse=True)[1]
    rank = rankdata(group * (len(score) + 1) + score)  # group after group
    m, cases = np.bincount(group[positive], minlength=group.max(initial=0) + 1), np.bincount(group)
    right = rank[positive].sum() - (m * (np.cumsum(cases) - cases) + m * (m + 1) / 2).sum()
    pairs, every = float((m * (cases - m)).sum()), float(positive.sum() * (~positive).sum())
    return (float(right / pairs), pairs / every) if pairs else (float("nan"), 0.0)


def average_precision(labels: Array, scores: Array) -> float:
    """Area under the curve of precision and recall, by steps; nan without a case of label 1.

    Cases of equal scores are one step. Chance is the share of label 1.

    >>> average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    0.8333333333333333
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.cumsum(np.asarray(labels)[order] == 1)
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.flatnonzero(np.append(np.diff(np.asarray(scores)[order]) != 0, True))
    gain = np.diff(hits[ends], prepend=0) / hits[-1]
    return float((gain * hits[ends] / (ends + 1)).sum())
