"""Validity: internal indices of cluster quality for every K and seed, in one space. They inform; stability chooses K.

On an autoencoder's embeddings most indices rise or fall steadily with K: such an index tells nothing about K (`monotone`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples

from ..seeds import numpy_generator
from .dunn import dunn_of_distances, trimmed

Array = npt.NDArray[Any]
INDEX_NAMES = ("dunn", "dunn_trimmed", "silhouette", "calinski_harabasz", "davies_bouldin", "xie_beni", "s_dbw")
"""All indices; trimmed Dunn stands beside Dunn, because single outliers decide Dunn."""


@dataclass(frozen=True, slots=True)
class ValidityRow:
    """One index of one labelling."""

    clusters: int
    """K of the labelling; fewer clusters may have members."""
    seed: int
    index: str
    """One of `INDEX_NAMES`."""
    value: float
    """nan where the labelling has fewer than two clusters on the sample."""


def validity_table(
    embeddings_NF: Array, labellings: Mapping[tuple[int, int], Array], sample: int = 2000, seed: int = 0
) -> list[ValidityRow]:
    """All indices of all labellings {(K, seed): cluster of every embedding}, on one seeded sample of the embeddings.

    Embeddings are standardised first: an index must not depend on the scale of single features.
    """
    chosen = np.arange(len(embeddings_NF))
    if len(embeddings_NF) > sample:
        chosen = np.sort(numpy_generator(seed, "validity").choice(len(embeddings_NF), sample, replace=False))
    points = embeddings_NF[chosen].astype(np.float64)
    points = (points - points.mean(0)) / np.maximum(points.std(0), 1e-9)
    distances = cdist(points, points)
    rows: list[ValidityRow] = []
    ordered = sorted(labellings.items())
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda item: indices(points, item[1][chosen], distances), ordered)
    for ((clusters, label_seed), _), values in zip(ordered, found, strict=True):
        rows += [ValidityRow(clusters, label_seed, name, value) for name, value in values.items()]
    return rows


def silhouettes(
    points_NF: Array, labellings: Mapping[int, Array], sample: int = 2000, seed: int = 0
) -> dict[int, float]:
    """Silhouette of each labelling of the same points, by its key, on one seeded sample; nan where it has one cluster.

    In the plane of a UMAP it follows the quality of clusters better than among embeddings (Lowe et al. 2024, arXiv 2406.02465),
    but a UMAP makes gaps of its own.
    """
    chosen = np.flatnonzero(np.isfinite(points_NF).all(1))
    if len(chosen) > sample:
        chosen = np.sort(numpy_generator(seed, "validity").choice(chosen, sample, replace=False))
    points = points_NF[chosen].astype(np.float64)
    distances = cdist(points, points)
    return {key: _silhouette(distances, labels[chosen]) for key, labels in labellings.items()}


def point_silhouettes(points_NF: Array, labels: Array) -> Array:
    """Silhouette of every point, float64 (N,); NaN where all are in one cluster, or each is in its own."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return np.full(len(labels), np.nan)
    return np.asarray(silhouette_samples(points_NF, labels))


def _silhouette(distances: Array, labels: Array) -> float:
    """As `sklearn.metrics.silhouette_score`, to the last bit: sums in its order, but not in a Python loop over points."""
    values, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(values) < len(labels):
        return float("nan")
    members = csr_array((np.ones(len(own)), np.argsort(own, kind="stable"), np.concatenate([[0], np.cumsum(sizes)])))
    sums, rows = (members @ distances).T, np.arange(len(own))  # of each point's distances to the points of each cluster
    with np.errstate(invalid="ignore"):  # one alone in its cluster has none: its silhouette is 0
        within = sums[rows, own] / (sizes - 1)[own]
        means = sums / sizes
        means[rows, own] = np.inf
        nearest = means.min(1)
        return float(np.nan_to_num((nearest - within) / np.maximum(within, nearest)).mean())


def indices(points: Array, labels: Array, distances: Array | None = None) -> dict[str, float]:
    """Index -> value of one labelling; nan with fewer than two clusters, or with as many clusters as points."""
    count = len(np.unique(labels))
    if not 2 <= count < len(labels):
        return dict.fromkeys(INDEX_NAMES, float("nan"))
    if distances is None:
        distances = cdist(points, points)
    keep = np.flatnonzero(trimmed(points, labels))
    return {
        "dunn": dunn_of_distances(distances, labels),
        "silhouette": _silhouette(distances, labels),
        "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
        "dunn_trimmed": dunn_of_distances(distances[np.ix_(keep, keep)], labels[keep]),
        "xie_beni": xie_beni(points, labels),
        "s_dbw": s_dbw(points, labels),
    }


def xie_beni(points: Array, labels: Array) -> float:
    """Mean squared distance to the own centre / smallest squared distance of two centres; Xie and Beni 1991, crisp.

    >>> xie_beni(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))  # 1 / 100
    0.01
    """
    centres, own = _centres(points, labels)
    gaps = cdist(centres, centres, "sqeuclidean")[~np.eye(len(centres), dtype=bool)]
    return float(np.square(points - centres[own]).sum(1).mean() / gaps.min()) if gaps.min() > 0 else float("inf")


def s_dbw(points: Array, labels: Array) -> float:
    """Scatter within clusters + density between them, lower is better; Halkidi and Vazirgiannis, ICDM 2001."""
    centres, own = _centres(points, labels)
    variances = np.stack([points[own == i].var(0) for i in range(len(centres))])
    norms = np.linalg.norm(variances, axis=1)
    radius = float(np.sqrt(norms.sum()) / len(centres))
    density = [_within(points[own == i], centre, radius) for i, centre in enumerate(centres)]
    between = 0.0
    for i, first in enumerate(centres):
        for j, second in enumerate(centres[:i]):
            pair = _within(points[(own == i) | (own == j)], (first + second) / 2, radius)
            between += 2 * pair / max(density[i], density[j], 1)
    scatter = float(norms.mean() / max(np.linalg.norm(points.var(0)), 1e-12))
    return scatter + between / (len(centres) * (len(centres) - 1))


def _centres(points: Array, labels: Array) -> tuple[Array, Array]:
    """(centre of each cluster, index of each point's cluster)."""
    values, own = np.unique(labels, return_inverse=True)
    return np.stack([points[own == i].mean(0) for i in range(len(values))]), own


def _within(points: Array, place: Array, radius: float) -> int:
    return int((np.linalg.norm(points - place, axis=1) <= radius).sum())
