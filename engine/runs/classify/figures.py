"""figures: figures of the judged films, each the mean over repeats of the folds, with intervals over draws of subjects."""

from __future__ import annotations

import numpy as np

from ....models.evaluation.calibration import calibration_error
from ....models.evaluation.classification_figures import Estimate, estimates
from ....models.evaluation.ranking import auroc, average_precision
from ....stores.frame import Array
from .documents import Interval

MOST_DRAWS, LEAST_DRAWS, DRAWN_FILMS = 500, 100, 10_000_000
"""Draws of subjects, at most and at least; fewer for many films, whose intervals are narrow: films times draws."""


def interval(estimate: Estimate) -> Interval:
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)


def repeated_figures(
    labels: Array, probabilities: Array, named: Array, subjects: Array, *, seed: int
) -> dict[str, Interval]:
    """Figures of `labels` (n,), `probabilities` (repeat, n, K) and the `named` classes (repeat, n).

    Of two classes: AUROC, AUPRC, accuracy, sensitivity, specificity, balanced accuracy, calibration error. Of more: AUROC as
    the mean over classes against all others, and no sensitivity or specificity. nan where a figure is undefined.
    """
    one = _two_classes if probabilities.shape[2] == 2 else _more_classes

    def figures(rows: Array) -> dict[str, float]:
        parts = [one(labels[rows], p[rows], n[rows]) for p, n in zip(probabilities, named, strict=True)]
        return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}

    return {
        name: interval(value)
        for name, value in estimates(figures, subjects, draws=draws_of(len(labels)), seed=seed).items()
    }


def draws_of(films: int) -> int:
    """Draws of so many films.

    >>> draws_of(1000), draws_of(50_000), draws_of(10**6)
    (500, 200, 100)
    """
    return max(LEAST_DRAWS, min(MOST_DRAWS, DRAWN_FILMS // max(1, films)))


def _two_classes(labels: Array, probabilities: Array, named: Array) -> dict[str, float]:
    right, ill, score = named == labels, labels == 1, probabilities[:, 1]
    sensitivity, specificity = _mean(right[ill]), _mean(right[~ill])
    return {
        "auroc": auroc(labels, score),
        "auprc": average_precision(labels, score),
        "accuracy": _mean(right),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "calibration_error": calibration_error(probabilities, labels),
    }


def _more_classes(labels: Array, probabilities: Array, named: Array) -> dict[str, float]:
    right, classes = named == labels, np.unique(labels)
    return {
        "auroc": _mean(np.array([auroc((labels == k).astype(int), probabilities[:, k]) for k in classes])),
        "accuracy": _mean(right),
        "balanced_accuracy": _mean(np.array([right[labels == k].mean() for k in classes])),
        "calibration_error": calibration_error(probabilities, labels),
    }


def area(labels: Array, scores: Array, subjects: Array, *, seed: int) -> Interval:
    """AUROC of `scores` (n,), or of each repeat (repeat, n), for label 1 of two."""
    table = np.atleast_2d(scores)

    def mean(rows: Array) -> dict[str, float]:
        return {"auroc": float(np.mean([auroc(labels[rows], values[rows]) for values in table]))}

    return interval(estimates(mean, subjects, draws=draws_of(len(labels)), seed=seed)["auroc"])


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
