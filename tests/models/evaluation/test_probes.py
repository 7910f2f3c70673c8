"""Probes: folds keep subjects together, linear models read what is there and nothing of what is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tile_engine.models.evaluation.classification_figures import estimates
from tile_engine.models.evaluation.probes import grouped_folds, logistic, probe_figures, ridge
from tile_engine.models.evaluation.ranking import auroc

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
    assert len(grouped_folds(np.arange(8) // 2, np.arange(8))) == 5  # all classes are rarer than folds
    classes, subjects = np.array([0, 0, -1, 0, -1, 0, 0, 0, -1]), np.array([0, 1, 2, 3, 1, 3, 0, 1, 1])
    assert all(len(test) for seed in range(5) for _, test in grouped_folds(classes, subjects, 4, seed))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(10))
def test_one_case_of_unknown_class_leaves_the_others_balanced(seed: int) -> None:
    classes = np.array([-1] + [1] * 10 + [0] * 49)
    counts = [int((classes[test] == 1).sum()) for _, test in grouped_folds(classes, np.arange(60), 5, seed)]
    assert counts == [2] * 5


def fold_of(folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    numbers = np.empty(sum(len(test) for _, test in folds), int)
    for number, (_, test) in enumerate(folds):
        numbers[test] = number
    return numbers


def test_ridge_reads_a_value_that_is_there() -> None:
    folds = grouped_folds(np.zeros(120, int), SUBJECTS)
    values = 50 + 10 * CODES[:, 0] + np.random.default_rng(1).normal(size=120)
    found = probe_figures(values, ridge(CODES, values, folds), fold_of(folds), SUBJECTS, draws=50)
    assert found["r"].low > 0.95 and found["mae"].low < found["mae"].value < found["mae"].high < 2
    noise = np.random.default_rng(2).normal(size=120)
    found = probe_figures(noise, ridge(CODES, noise, folds), fold_of(folds), SUBJECTS, draws=50)
    assert found["r"].low < 0 < found["r"].high


def test_logistic_reads_a_class_that_is_there() -> None:
    classes = (CODES[:, 1] > 0.5).astype(int)
    found = logistic(CODES, classes, grouped_folds(classes, SUBJECTS))
    assert roc_auc_score(classes, found) > 0.9


def test_figures_by_hand() -> None:
    """Cases of two folds are never compared: each fold is right, and both together, without the centres, half wrong."""
    values, folds = np.array([1.0, 2.0, 11.0, 12.0]), np.array([0, 0, 1, 1])
    found = probe_figures(values, np.array([6.0, 7.0, 1.0, 2.0]), folds, np.arange(4), draws=20)
    assert found["r"].value == pytest.approx(1.0) and found["mae"].value == pytest.approx(7.5)
    found = probe_figures(np.array([0, 1, 0, 1]), np.array([0.6, 0.7, 0.1, 0.2]), folds, np.arange(4), draws=20)
    assert found["auc"].value == 1.0 and found["auc"].high <= 1.0


def test_columns_without_meaning_are_at_chance_and_their_intervals_hold_it() -> None:
    """Twelve and eleven subjects in folds that know nothing of the column: taken together they seem to turn it round."""
    draw = np.random.default_rng(0)
    found, together, numbers = [], [], []
    for seed in range(60):
        embeddings, values = draw.normal(size=(23, 8)), draw.permutation(np.arange(23) < 12).astype(int)
        folds = grouped_folds(np.zeros(23, int), np.arange(23), 5, seed)
        predicted, age = logistic(embeddings, values, folds), draw.normal(size=23)
        found.append(probe_figures(values, predicted, fold_of(folds), np.arange(23), draws=200)["auc"])
        together.append(probe_figures(values, predicted, np.zeros(23), np.arange(23), draws=200)["auc"])
        numbers.append(probe_figures(age, ridge(embeddings, age, folds), fold_of(folds), np.arange(23), draws=200)["r"])
    assert np.mean([one.value for one in found]) > np.mean([one.value for one in together])
    held, held_together = (np.mean([one.low <= 0.5 <= one.high for one in ways]) for ways in (found, together))
    assert held >= 0.85 and held > held_together
    assert np.mean([one.low <= 0 <= one.high for one in numbers]) >= 0.85


def test_one_training_on_other_cases_sees_no_pair_twice() -> None:
    values, scores = np.arange(40) % 2, np.random.default_rng(0).normal(size=40)
    one = probe_figures(values, scores, np.zeros(40), np.arange(40), draws=100)["auc"]
    plain = estimates(lambda rows: {"auc": auroc(values[rows], scores[rows])}, np.arange(40), draws=100)["auc"]
    assert (one.value, one.low, one.high) == pytest.approx((plain.value, plain.low, plain.high))
