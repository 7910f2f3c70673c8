"""Validity: indices of cluster quality for every K and seed in one embedding space, and the K that they recommend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from ..seeds import numpy_generator
from .dunn import dunn_of_distances, trimmed

Array = npt.NDArray[Any]
RANKED_INDICES = {"dunn": 1, "silhouette": 1, "calinski_harabasz": 1, "davies_bouldin": -1}
"""Indices that choose K; 1 = larger is better, -1 = smaller is better."""
SHOWN_INDICES = {**RANKED_INDICES, "dunn_trimmed": 1}
"""All indices of the table; trimmed Dunn is shown beside Dunn, because single outliers decide Dunn."""


@dataclass(frozen=True, slots=True)
class ValidityRow:
    """One index of one labelling."""

    clusters: int
    """K of the labelling; fewer clusters may have members."""
    seed: int
    index: str
    """A key of `SHOWN_INDICES`."""
    value: float
    """nan where the labelling has fewer than two clusters on the sample."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The recommended K and the agreement of the indices on it."""

    clusters: int
    """The smallest K whose mean rank is within one standard error of the best."""
    mean_ranks: dict[int, float]
    """K -> mean rank over indices and seeds; 1 is best."""
    standard_errors: dict[int, float]
    """K -> standard error of that mean over the indices (each a mean over seeds)."""
    best: dict[str, int]
    """Index -> its own best K by the mean over seeds."""
    agreement: str
    """A sentence for the report: whether the indices agree."""


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
    rows = []
    for (clusters, label_seed), labels in sorted(labellings.items()):
        values = indices(points, labels[chosen], distances)
        rows += [ValidityRow(clusters, label_seed, name, value) for name, value in values.items()]
    return rows


def indices(points: Array, labels: Array, distances: Array | None = None) -> dict[str, float]:
    """Index -> value of one labelling; nan with fewer than two clusters, or with as many clusters as points."""
    count = len(np.unique(labels))
    if not 2 <= count < len(labels):
        return dict.fromkeys(SHOWN_INDICES, float("nan"))
    if distances is None:
        distances = cdist(points, points)
    keep = np.flatnonzero(trimmed(points, labels))
    return {
        "dunn": dunn_of_distances(distances, labels),
        "silhouette": float(silhouette_score(distances, labels, metric="precomputed")),
        "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
        "dunn_trimmed": dunn_of_distances(distances[np.ix_(keep, keep)], labels[keep]),
    }


def recommend(rows: Sequence[ValidityRow]) -> Recommendation:
    """The smallest K within one standard error of the best mean rank.

    Ks are ranked within each index and seed; ties share a rank, nan comes last.
    """
    ks = sorted({row.clusters for row in rows})
    seeds = sorted({row.seed for row in rows})
    value = {(row.index, row.seed, row.clusters): row.value for row in rows}
    ranks_IK = np.stack([np.mean([_ranks(value, name, seed, ks) for seed in seeds], axis=0) for name in RANKED_INDICES])
    means = ranks_IK.mean(0)
    errors = ranks_IK.std(0, ddof=1) / np.sqrt(len(RANKED_INDICES))
    top = int(means.argmin())
    clusters = ks[int(np.flatnonzero(means <= means[top] + errors[top])[0])]
    best = {name: ks[int(ranks_K.argmin())] for name, ranks_K in zip(RANKED_INDICES, ranks_IK, strict=True)}
    return Recommendation(
        clusters=clusters,
        mean_ranks={k: float(mean) for k, mean in zip(ks, means, strict=True)},
        standard_errors={k: float(error) for k, error in zip(ks, errors, strict=True)},
        best=best,
        agreement=_agreement(clusters, ks, means, means[top] + errors[top], best),
    )


def _ranks(value: Mapping[tuple[str, int, int], float], name: str, seed: int, ks: Sequence[int]) -> Array:
    column = np.array([value.get((name, seed, k), float("nan")) for k in ks]) * RANKED_INDICES[name]
    return np.asarray(rankdata(-np.where(np.isnan(column), -np.inf, column)))


def _agreement(clusters: int, ks: Sequence[int], means: Array, limit: float, best: Mapping[str, int]) -> str:
    choices = ", ".join(f"{name.replace('_', '-')} {k}" for name, k in best.items())
    spread = max(best.values()) - min(best.values())
    rivals = [k for k, mean in zip(ks, means, strict=True) if mean <= limit and k != clusters]
    if spread <= 1:
        verdict = "The indices agree."
    elif spread <= max(3, len(ks) // 4):
        verdict = "The indices agree roughly."
    else:
        verdict = "The indices disagree: treat this K as one of several possible."
    also = f" Also within one standard error of the best: {', '.join(map(str, rivals))}." if rivals else ""
    return f"{verdict} Best K by index: {choices}.{also}"
