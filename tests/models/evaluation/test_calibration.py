"""Calibration: errors computed by hand, fits against scikit-learn and a search, and true probabilities that are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression

from tile_engine.errors import SettingsError
from tile_engine.models.evaluation.calibration import (
    calibration_error,
    fit_platt,
    fit_temperature,
    reliability,
)


def drawn(cases: int = 4000, sharpness: float = 1.0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times the true ones, and labels of the true probabilities."""
    draw = np.random.default_rng(0)
    margin = draw.normal(0, 2, cases)
    labels = (draw.random(cases) < expit(margin)).astype(int)
    half = (sharpness * margin + offset) / 2
    return np.stack([-half, half], 1), labels


def test_the_error_is_that_of_a_hand_sized_case() -> None:
    """Bins (0.6, 0.667] with 0.65: 1 of 2 right; (0.867, 0.933] with 0.9: 3 of 3 right; weights 2/5 and 3/5."""
    top = np.array([0.65, 0.65, 0.9, 0.9, 0.9])
    pairs, labels = np.stack([top, 1 - top], 1), np.array([0, 1, 0, 0, 0])
    assert calibration_error(pairs, labels) == pytest.approx(0.4 * 0.15 + 0.6 * 0.1)
    assert calibration_error(pairs, labels, bins=1) == pytest.approx(0.8 - 0.8)


def test_adaptive_bins_hold_equally_many_cases() -> None:
    logits, labels = drawn(100)
    table = reliability(np.exp(log_softmax(logits, 1)), labels, bins=10, adaptive=True)
    assert table.cases.tolist() == [10] * 10 and (np.diff(table.confidence) > 0).all()


def test_sureness_of_one_falls_into_the_last_bin() -> None:
    assert reliability(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])).cases.tolist() == [2]


def test_true_probabilities_are_left_alone() -> None:
    logits, labels = drawn()
    assert fit_temperature(logits, labels).slope == pytest.approx(1.0, abs=0.07)
    assert calibration_error(np.exp(log_softmax(logits, 1)), labels) < 0.02


def test_temperature_undoes_overconfidence_and_keeps_the_ranking() -> None:
    logits, labels = drawn(sharpness=3.0)
    calibration = fit_temperature(logits, labels)
    grid = np.exp(np.linspace(-2, 2, 801))
    losses = [-log_softmax(logits / t, axis=1)[np.arange(len(labels)), labels].mean() for t in grid]
    assert 1 / calibration.slope == pytest.approx(grid[np.argmin(losses)], rel=5e-3)
    before, after = np.exp(log_softmax(logits, 1)), calibration(logits)
    assert calibration_error(after, labels) < 0.02 < calibration_error(before, labels)
    assert (np.argsort(before[:, 1]) == np.argsort(after[:, 1])).all() and np.allclose(after.sum(1), 1)


def test_platt_is_logistic_regression_without_penalty() -> None:
    logits, labels = drawn(sharpness=2.0, offset=1.0)
    calibration = fit_platt(logits, labels)
    model = LogisticRegression(C=1e8, tol=1e-8).fit(np.diff(logits), labels)
    assert calibration.slope == pytest.approx(model.coef_[0, 0], rel=0.01)
    assert calibration.offset == pytest.approx(model.intercept_[0], abs=0.01)


def test_platt_is_finite_where_classes_do_not_overlap() -> None:
    """Its targets are 1/12 and 11/12 of ten cases a class; cases of one margin each reach them exactly."""
    margin = np.repeat([-3.0, 3.0], 10)
    calibration = fit_platt(np.stack([-margin / 2, margin / 2], 1), np.repeat([0, 1], 10))
    probabilities = calibration(np.array([[1.5, -1.5], [-1.5, 1.5]]))[:, 1]
    assert probabilities == pytest.approx([1 / 12, 11 / 12], abs=1e-4)


def test_three_classes_take_a_temperature_alone() -> None:
    logits = np.random.default_rng(1).normal(0, 1, (30, 3))
    assert fit_temperature(logits, np.arange(30) % 3)(logits).shape == (30, 3)
    with pytest.raises(SettingsError, match="use temperature"):
        fit_platt(logits, np.arange(30) % 3)
    with pytest.raises(SettingsError, match="cannot be judged"):
        calibration_error(logits, np.full(30, 3))
