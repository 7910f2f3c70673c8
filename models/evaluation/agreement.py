"""Agreement: k-means on embeddings, fitted on one set of cases, compared with the known classes of another set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .cases import LabelledCases
from .metrics import agreement, contingency

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of a figure over seeds or folds."""

    mean: float
    sd: float
    """Sample standard deviation (n - 1); 0 for a single value."""

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        sample = np.asarray(list(values), float)
        return cls(float(sample.mean()), float(sample.std(ddof=1)) if len(sample) > 1 else 0.0)


def matched_classes(classes: Array, clusters: Array) -> Array:
    """The class matched to each case's cluster by the best one-to-one matching; -1 for clusters without a class.

    >>> matched_classes(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 2])).tolist()
    [0, 0, 0, 1]
    """
    table, class_values, cluster_values = contingency(classes, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    named = {cluster_values[column]: class_values[row] for row, column in zip(rows, columns, strict=True)}
    return np.array([named.get(cluster, -1) for cluster in clusters])


def balanced_accuracy(classes: Array, guessed: Array) -> float:
    """Balanced accuracy: the mean over classes of the share of cases that were predicted correctly.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    return float(np.mean([(guessed[classes == label] == label).mean() for label in np.unique(classes)]))


def kmeans_agreement(fitted: LabelledCases, judged: LabelledCases, seeds: int = 10) -> dict[str, Spread]:
    """k-means with as many clusters as `fitted` has classes, applied to `judged`: mean and deviation over `seeds` starts.

    Keys: `accuracy` (matched), `balanced_accuracy`, `ari`, `nmi`. Classes are used only to match
    clusters to the classes of `judged`, never to fit. Cases of unknown class take part in the fit and are not judged.
    """
    from sklearn.cluster import KMeans

    judged = judged.labelled()
    count = len(np.unique(fitted.classes[fitted.classes >= 0]))
    figures: dict[str, list[float]] = {"accuracy": [], "balanced_accuracy": [], "ari": [], "nmi": []}
    for seed in range(seeds):
        clusters = KMeans(count, n_init=10, random_state=seed).fit(fitted.embeddings).predict(judged.embeddings)
        scores = agreement(judged.classes, clusters)
        matched = matched_classes(judged.classes, clusters)
        values = (scores.accuracy, balanced_accuracy(judged.classes, matched), scores.ari, scores.nmi)
        for name, value in zip(figures, values, strict=True):
            figures[name].append(value)
    return {name: Spread.of(values) for name, values in figures.items()}
