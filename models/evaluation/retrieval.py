"""Retrieval: how often the nearest cases have the class of the query; cases of the query's own subject are not counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..batches import in_order
from .cases import LabelledCases

Array = npt.NDArray[Any]
KNN_VOTERS = 10
"""Neighbours whose classes give the score of `knn_auc`."""
QUERIES_PER_CHUNK = 512
"""Queries that are ranked in one matrix product."""


def ranks(gallery: LabelledCases, query: LabelledCases) -> tuple[Array, Array]:
    """(rows of the gallery, nearest first (q, g); number of rows that count (q,)) for each query.

    Rows of the query's own subject come last and do not count. Where `gallery` is `query` and names no subjects, each
    case is its own subject. Ranked by squared Euclidean distance; ties keep the gallery's order.
    """
    subjects: tuple[Array | None, Array | None] = (gallery.subjects, query.subjects)
    if gallery is query and gallery.subjects is None:
        subjects = (np.arange(len(gallery)), np.arange(len(query)))
    orders, counts = [], []
    squares = np.square(gallery.embeddings, dtype=np.float64).sum(1)
    for rows in in_order(len(query), QUERIES_PER_CHUNK):
        embeddings = query.embeddings[rows].astype(np.float64)
        distances = squares - 2 * embeddings @ gallery.embeddings.T.astype(np.float64)
        own = np.zeros(distances.shape, bool)
        if subjects[0] is not None and subjects[1] is not None:
            own = subjects[1][rows, None] == subjects[0][None, :]
        distances[own] = np.inf
        orders.append(np.argsort(distances, 1, kind="stable"))
        counts.append((~own).sum(1))
    return np.concatenate(orders), np.concatenate(counts)


def retrieval(gallery: LabelledCases, query: LabelledCases, at: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """All figures of retrieval by class; cases of unknown class are left out of gallery and queries.

    Keys: `precision@k` (over queries) and `macro_precision@k` (over classes: each has the same weight), `recall@k`
    (share of all cases of the class among the k nearest), `map` and `macro_map` (mean average precision), `ndcg`,
    `top1_macro_f1`, and `knn_auc`: area under the ROC curve of the share of a class among the 10 nearest, one class
    against the rest, mean over classes. Queries whose class the gallery lacks have no average
    precision and are left out of those means.
    """
    from sklearn.metrics import f1_score

    within_gallery = gallery is query
    gallery, query = (cases := gallery.labelled()), cases if within_gallery else query.labelled()
    order, counts = ranks(gallery, query)
    classes = gallery.classes[order]
    rank = np.arange(order.shape[1])
    same_class = ((classes == query.classes[:, None]) & (rank < counts[:, None])).astype(float)
    figures: dict[str, float] = {}
    for k in at:
        hits = same_class[:, :k].sum(1)
        precision = hits / np.maximum(1, np.minimum(k, counts))
        figures[f"precision@{k}"] = float(precision.mean())
        figures[f"macro_precision@{k}"] = _macro(precision, query.classes)
        figures[f"recall@{k}"] = _mean(hits / _positive(same_class.sum(1)))
    average = (np.cumsum(same_class, 1) / (rank + 1) * same_class).sum(1) / _positive(same_class.sum(1))
    figures["map"], figures["macro_map"] = _mean(average), _macro(average, query.classes)
    gains = 1.0 / np.log2(rank + 2)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])[same_class.sum(1).astype(int)]
    figures["ndcg"] = _mean((same_class * gains).sum(1) / _positive(ideal))
    figures["top1_macro_f1"] = float(f1_score(query.classes, classes[:, 0], average="macro", zero_division=0.0))
    voters = rank[:KNN_VOTERS] < counts[:, None]
    figures["knn_auc"] = _knn_auc(classes[:, :KNN_VOTERS], voters, query.classes)
    return figures


def _knn_auc(nearest_classes: Array, voters: Array, classes: Array) -> float:
    from sklearn.metrics import roc_auc_score

    areas = []
    for label in np.unique(classes):
        share = ((nearest_classes == label) & voters).sum(1) / np.maximum(1, voters.sum(1))
        if 0 < (classes == label).sum() < len(classes):
            areas.append(roc_auc_score(classes == label, share))
    return float(np.mean(areas)) if areas else float("nan")


def _positive(values: Array) -> Array:
    return np.where(values > 0, values, np.nan)


def _mean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _macro(values: Array, classes: Array) -> float:
    means = [_mean(values[classes == label]) for label in np.unique(classes)]
    return float(np.nanmean(means)) if np.isfinite(means).any() else float("nan")
