"""validity: what a table of indices over K and seeds says, and how surely: ranks, agreement, clusters tied to slides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...stores.frame import Array

Score = Mapping[str, str | int | float]
"""One measurement: k, seed, index (a key of INDICES), value."""

INDICES: dict[str, tuple[str, bool]] = {
    "dunn": ("Dunn", True),
    "dunn_trimmed": ("Dunn, trimmed", True),
    "silhouette": ("Silhouette", True),
    "calinski_harabasz": ("Calinski–Harabasz", True),
    "davies_bouldin": ("Davies–Bouldin", False),
}
"""Name for people, and whether a higher value is better."""


def mean_ranks(scores: Sequence[Score]) -> dict[int, tuple[float, float]]:
    """K -> mean over indices and seeds of K's rank (1 is best), and that mean's standard error; ties share their rank.

    >>> rows = [{"k": k, "seed": 0, "index": "dunn", "value": v} for k, v in ((2, 0.1), (3, 0.4))]
    >>> mean_ranks(rows)
    {2: (2.0, 0.0), 3: (1.0, 0.0)}
    """
    groups: dict[tuple[str, int], dict[int, float]] = {}
    for row in scores:
        value, name = float(row["value"]), str(row["index"])
        if name in INDICES and math.isfinite(value):
            groups.setdefault((name, int(row["seed"])), {})[int(row["k"])] = value if INDICES[name][1] else -value
    ranks: dict[int, list[float]] = {}
    for values in groups.values():
        for k, value in values.items():
            better = sum(other > value for other in values.values())
            ties = sum(other == value for other in values.values())
            ranks.setdefault(k, []).append(better + (ties + 1) / 2)
    return {
        k: (float(np.mean(r)), float(np.std(r, ddof=1) / math.sqrt(len(r))) if len(r) > 1 else 0.0)
        for k, r in sorted(ranks.items())
    }


def favourites(scores: Sequence[Score]) -> dict[str, int]:
    """Index -> the K that is best by its mean over seeds."""
    values: dict[str, dict[int, list[float]]] = {}
    for row in scores:
        if str(row["index"]) in INDICES and math.isfinite(float(row["value"])):
            values.setdefault(str(row["index"]), {}).setdefault(int(row["k"]), []).append(float(row["value"]))
    return {
        name: max(table, key=lambda k: (float(np.mean(table[k])) * (1 if INDICES[name][1] else -1), -k))
        for name, table in values.items()
    }


def normalised_mutual_information(counts: Array) -> float:
    """How much a tile's slide says about its cluster, 0 to 1 (arithmetic normalisation), from tiles (cluster, slide).

    >>> normalised_mutual_information(np.array([[5, 0], [0, 5]])), normalised_mutual_information(np.array([[5, 5]]))
    (1.0, 0.0)
    """
    total = counts.sum()
    if total == 0:
        return 0.0
    joint = counts / total
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    expected = np.outer(rows, columns)
    held = joint > 0
    shared = float((joint[held] * np.log(joint[held] / expected[held])).sum())
    mean = (_entropy(rows) + _entropy(columns)) / 2
    return round(min(1.0, max(0.0, shared / mean)), 12) if mean > 1e-12 else 0.0


def slide_bound(counts: Array, *, part: float = 0.9) -> list[int]:
    """Clusters (from 1) with at least `part` of their tiles on one slide, which holds under half of all tiles."""
    total = max(int(counts.sum()), 1)
    bound = []
    for i, row in enumerate(counts):
        top = int(row.argmax()) if row.size else 0
        if row.sum() and row[top] >= part * row.sum() and counts[:, top].sum() < 0.5 * total:
            bound.append(i + 1)
    return bound


def _entropy(p: Array) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
