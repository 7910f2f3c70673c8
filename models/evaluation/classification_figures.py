"""classification_figures: how well probabilities of classes fit the labels, each figure with its interval by subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..seeds import numpy_generator
from .calibration import calibration_error
from .operating_point import figures_at
from .ranking import auroc, average_precision

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of the cases, and its 95 % interval: subjects drawn with replacement, each with all its cases."""

    value: float
    low: float
    high: float


def binary_figures(
    labels: Array, probabilities: Array, threshold: float, subjects: Array, *, draws: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """All figures of probabilities of label 1 (n,), with `labels` 0 or 1 (n,), at a threshold that was set on other cases.

    `auroc`, `auprc` (average precision), `accuracy`, `sensitivity`, `specificity`, `balanced_accuracy`, `calibration_error`,
    `adaptive_calibration_error`. nan where a figure is undefined. Intervals of calibration errors lie mostly above the figures:
    a draw holds some cases twice, and looks less calibrated than all cases do.

    >>> labels, scores = np.arange(40) % 2, np.linspace(0.0, 1.0, 40)
    >>> figures = binary_figures(labels, scores, 0.5, np.arange(40), draws=50)
    >>> figures["accuracy"].value, round(figures["auroc"].value, 3)
    (0.5, 0.525)
    """

    def figures(rows: Array) -> dict[str, float]:
        chosen, scores = labels[rows], probabilities[rows]
        decided, pair = figures_at(chosen, scores, threshold), np.stack([1 - scores, scores], 1)
        return {
            "auroc": auroc(chosen, scores),
            "auprc": average_precision(chosen, scores),
            "accuracy": decided.accuracy,
            "sensitivity": decided.sensitivity,
            "specificity": decided.specificity,
            "balanced_accuracy": decided.balanced_accuracy,
            "calibration_error": calibration_error(pair, chosen),
            "adaptive_calibration_error": calibration_error(pair, chosen, adaptive=True),
        }

    return estimates(figures, subjects, draws=draws, seed=seed)


def estimates(
    figures: Callable[[Array], Mapping[str, float]], subjects: Array, *, draws: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """`figures(rows)` of all rows, each with its interval; draws for which a figure is nan are left out of that figure's.

    The interval of a figure that no draw has is (nan, nan).
    """
    whole = figures(np.arange(len(subjects)))
    source = numpy_generator(seed, "bootstrap")
    _, member = np.unique(subjects, return_inverse=True)
    rows_of = [np.flatnonzero(member == subject) for subject in range(member.max() + 1)]
    table = np.full((draws, len(whole)), np.nan)
    for row in table:
        drawn = source.integers(0, len(rows_of), len(rows_of))
        row[:] = list(figures(np.concatenate([rows_of[subject] for subject in drawn])).values())
    ends = [
        np.percentile(column[np.isfinite(column)], (2.5, 97.5)) if np.isfinite(column).any() else (np.nan, np.nan)
        for column in table.T
    ]
    return {
        name: Estimate(float(value), float(low), float(high))
        for (name, value), (low, high) in zip(whole.items(), ends, strict=True)
    }
