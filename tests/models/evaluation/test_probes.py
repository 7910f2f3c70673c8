"""Probes: folds keep subjects together, linear models read what is there and nothing of what is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tile_engine.models.evaluation.probes import grouped_folds, logistic, regression_figures, ridge

DRAW = np.random.default_rng(0)
CODES = DRAW.normal(size=(120, 8))
SUBJECTS = np.arange(120) // 2


def test_folds_cover_every_case_once_and_keep_subjects_together() -> None:
    classes = (SUBJECTS % 4 == 0).astype(int)
    folds = grouped_folds(classes, SUBJECTS)
    assert len(folds) == 5
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(120))
    for train, test in folds:
        assert not set(SUBJECTS[train]) & set(SUBJECTS[test])
        assert classes[test].mean() == pytest.approx(0.25, abs=0.05)
    again = grouped_folds(classes, SUBJECTS)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(folds, again, strict=True))


@pytest.mark.filterwarnings("error")
def test_few_subjects_or_a_rare_class_still_have_folds() -> None:
    assert len(grouped_folds(np.zeros(6, int), np.arange(6) // 2)) == 3
    assert len(grouped_folds(np.array([1] + [0] * 19), np.arange(20))) == 5


def test_ridge_reads_a_value_that_is_there() -> None:
    folds = grouped_folds(np.zeros(120, int), SUBJECTS)
    values = 50 + 10 * CODES[:, 0] + np.random.default_rng(1).normal(size=120)
    assert regression_figures(values, ridge(CODES, values, folds))["r2"] > 0.9
    noise = np.random.default_rng(2).normal(size=120)
    assert regression_figures(noise, ridge(CODES, noise, folds))["r2"] < 0.1


def test_logistic_reads_a_class_that_is_there() -> None:
    classes = (CODES[:, 1] > 0.5).astype(int)
    found = logistic(CODES, classes, grouped_folds(classes, SUBJECTS))
    assert roc_auc_score(classes, found) > 0.9


def test_regression_figures_by_hand() -> None:
    found = regression_figures(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    assert found["r2"] == pytest.approx(0.5)
    assert found["mae"] == pytest.approx(1 / 3)
    assert found["r"] == pytest.approx(0.98198, abs=1e-5)
