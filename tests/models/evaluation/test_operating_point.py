"""Operating point: figures against scikit-learn, and thresholds against all that could be chosen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, roc_curve

from tile_engine.errors import SettingsError
from tile_engine.models.evaluation.operating_point import figures_at, majority_accuracy, threshold_for

DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 2, 60)
SCORES = (LABELS + DRAW.normal(0, 0.8, 60)).round(1)


def test_figures_are_those_of_scikit_learn() -> None:
    figures, decided = figures_at(LABELS, SCORES, 0.5), (SCORES >= 0.5).astype(int)
    assert figures.accuracy == pytest.approx(accuracy_score(LABELS, decided))
    assert figures.balanced_accuracy == pytest.approx(balanced_accuracy_score(LABELS, decided))
    counts = (figures.true_negatives, figures.false_positives, figures.false_negatives, figures.true_positives)
    assert counts == tuple(confusion_matrix(LABELS, decided).ravel())


def test_the_threshold_has_the_highest_balanced_accuracy() -> None:
    threshold = threshold_for(LABELS, SCORES)
    false, true, _ = roc_curve(LABELS, SCORES)
    assert figures_at(LABELS, SCORES, threshold).balanced_accuracy == pytest.approx(((true - false) / 2 + 0.5).max())
    assert threshold not in SCORES


def test_a_least_sensitivity_is_reached_with_the_best_specificity() -> None:
    figures = figures_at(LABELS, SCORES, threshold_for(LABELS, SCORES, sensitivity=0.95))
    false, true, _ = roc_curve(LABELS, SCORES, drop_intermediate=False)
    # Youden's index among the points of the curve that reach it
    assert figures.sensitivity >= 0.95
    assert figures.balanced_accuracy == pytest.approx(
        max(t - f for t, f in zip(true, false, strict=True) if t >= 0.95) / 2 + 0.5
    )


def test_shares_that_no_threshold_reaches_are_refused() -> None:
    with pytest.raises(SettingsError, match="overlap"):
        threshold_for(LABELS, SCORES, sensitivity=0.99, specificity=0.99)


def test_one_label_gives_no_threshold_and_half_of_the_figures() -> None:
    with pytest.raises(SettingsError, match="needs both"):
        threshold_for(np.ones(3, int), np.arange(3.0))
    figures = figures_at(np.ones(3, int), np.arange(3.0), 1.0)
    assert figures.sensitivity == pytest.approx(2 / 3) and np.isnan(figures.specificity)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="not a number"):
        figures_at(np.array([0, 1]), np.array([0.1, np.nan]), 0.5)
    with pytest.raises(SettingsError, match="label 0 or 1"):
        figures_at(np.array([0, 2]), np.array([0.1, 0.2]), 0.5)


def test_the_majority_is_that_of_the_training_labels() -> None:
    assert majority_accuracy(np.array([1, 1, 0]), np.array([0, 0, 0, 1])) == 0.25
