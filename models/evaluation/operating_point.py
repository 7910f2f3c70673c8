"""operating_point: the threshold at which scores become a decision, and the figures of that decision.

The threshold is set on films that are not judged: a threshold chosen on the judged films flatters them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class OperatingFigures:
    """Figures of the decision score >= threshold; nan where a class has no case."""

    threshold: float
    accuracy: float
    sensitivity: float
    """Share of the cases of label 1 that are decided as 1."""
    specificity: float
    """Share of the cases of label 0 that are decided as 0."""
    balanced_accuracy: float
    """Mean of sensitivity and specificity: 0.5 by chance and for every majority."""
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


def figures_at(labels: Array, scores: Array, threshold: float) -> OperatingFigures:
    """Figures of `labels` 0 or 1 (n,) and `scores` (n,) at a threshold.

    >>> figures = figures_at(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.7, 0.9]), 0.5)
    >>> figures.sensitivity, figures.specificity, figures.balanced_accuracy
    (1.0, 0.5, 0.75)
    """
    check_binary(labels, scores)
    decided, positive = np.asarray(scores) >= threshold, np.asarray(labels) == 1
    hits, alarms = int((decided & positive).sum()), int((decided & ~positive).sum())
    clear, missed = int((~decided & ~positive).sum()), int((~decided & positive).sum())
    sensitivity, specificity = share(hits, hits + missed), share(clear, clear + alarms)
    return OperatingFigures(
        threshold=float(threshold),
        accuracy=share(hits + clear, len(positive)),
        sensitivity=sensitivity,
        specificity=specificity,
        balanced_accuracy=(sensitivity + specificity) / 2,
        true_positives=hits,
        false_positives=alarms,
        true_negatives=clear,
        false_negatives=missed,
    )


def threshold_for(
    labels: Array, scores: Array, *, sensitivity: float | None = None, specificity: float | None = None
) -> float:
    """The threshold of the highest balanced accuracy on these cases, among those that reach the stated least shares.

    Thresholds lie halfway between neighbouring scores, and of several equally good ones the middle of the longest stretch is
    taken: where the classes do not overlap, halfway between them. Raises SettingsError where a label has no case, or no
    threshold reaches both shares.

    >>> threshold_for(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.9]))
    0.5
    """
    check_binary(labels, scores)
    values = np.asarray(scores, np.float64)
    positive, negative = np.sort(values[labels == 1]), np.sort(values[labels == 0])
    if not len(positive) or not len(negative):
        raise SettingsError(
            f"a threshold cannot be set on {len(positive)} cases of label 1 and {len(negative)} of label 0: it needs both."
        )
    steps = np.unique(values)
    edges = np.concatenate([[steps[0] - 1.0], steps, [steps[-1] + 1.0]])
    thresholds = (edges[:-1] + edges[1:]) / 2
    hits = 1.0 - np.searchsorted(positive, thresholds, "left") / len(positive)
    clear = np.searchsorted(negative, thresholds, "left") / len(negative)
    allowed = (hits >= (sensitivity or 0.0)) & (clear >= (specificity or 0.0))
    if not allowed.any():
        raise SettingsError(
            f"no threshold has a sensitivity of {sensitivity} and a specificity of {specificity} on these "
            f"{len(values)} cases: the classes overlap. Ask for less of one of them."
        )
    balanced = np.where(allowed, hits + clear, -1.0)
    best = np.flatnonzero(balanced >= balanced.max() - 1e-12)
    return float(thresholds[best[np.argmax(np.diff(edges)[best])]])


def majority_accuracy(training_labels: Array, labels: Array) -> float:
    """Accuracy on `labels` of naming the most frequent training label for every case; nan without a case."""
    values, counts = np.unique(training_labels, return_counts=True)
    return share(int((np.asarray(labels) == values[counts.argmax()]).sum()), len(labels))


def share(hits: int, count: int) -> float:
    """hits / count; nan of no case."""
    return hits / count if count else float("nan")


def check_binary(labels: Array, scores: Array) -> None:
    """Raises SettingsError for labels other than 0 and 1, or scores that are not finite or of another number."""
    values = np.unique(labels)
    if len(labels) != len(scores) or not np.isin(values, (0, 1)).all():
        raise SettingsError(
            f"{len(labels)} labels of the values {values.tolist()[:5]} and {len(scores)} scores cannot be judged: each case "
            "needs a score and the label 0 or 1."
        )
    if not np.isfinite(np.asarray(scores, np.float64)).all():
        raise SettingsError("some scores are infinite or not a number, so cases cannot be ranked by them.")
