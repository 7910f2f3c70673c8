"""Figures of classes: values against scikit-learn, intervals that widen with subjects of many films."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from tile_engine.models.evaluation.classification_figures import binary_figures, estimates

DRAW = np.random.default_rng(0)
LABELS = np.arange(120) % 2
SCORES = (0.3 + 0.4 * LABELS + DRAW.normal(0, 0.2, 120)).clip(0.01, 0.99)


def test_binary_figures_are_those_of_scikit_learn() -> None:
    figures = binary_figures(LABELS, SCORES, 0.4, np.arange(120), draws=40)
    assert figures["auroc"].value == pytest.approx(roc_auc_score(LABELS, SCORES))
    assert figures["auprc"].value == pytest.approx(average_precision_score(LABELS, SCORES))
    assert figures["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(LABELS, SCORES >= 0.4))
    assert all(f.low <= f.value <= f.high for name, f in figures.items() if "calibration" not in name)


def test_films_of_one_subject_do_not_count_as_independent() -> None:
    """The same 10 values, 12 times: as 120 subjects the interval of the mean is narrow, as 10 it is not."""
    values = np.repeat(DRAW.normal(0, 1, 10), 12)

    def mean(rows: np.ndarray) -> dict[str, float]:
        return {"mean": float(values[rows].mean())}

    apart, together = (estimates(mean, s, draws=400)["mean"] for s in (np.arange(120), np.repeat(np.arange(10), 12)))
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_a_figure_that_is_undefined_is_said_to_be() -> None:
    figures = binary_figures(np.ones(6, int), np.linspace(0, 1, 6), 0.5, np.arange(6), draws=10)
    assert (
        np.isnan(figures["auroc"].value) and np.isnan(figures["auroc"].low) and np.isnan(figures["specificity"].value)
    )
    assert figures["sensitivity"].value == 0.5
