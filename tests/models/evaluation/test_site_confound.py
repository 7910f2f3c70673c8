"""Site confound and site matrix: sites that decide the label, sites that say nothing, and cells that test what they name."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tile_engine.models.evaluation.ranking import auroc_within
from tile_engine.models.evaluation.site_confound import site_area, site_confound, site_shares
from tile_engine.models.evaluation.site_matrix import site_matrix, site_trainings
from tile_engine.models.evaluation.subject_splits import repeated_folds

DRAW = np.random.default_rng(0)
SITES = np.repeat(["A", "B", "C"], 60)
SUBJECTS = np.arange(180) // 2
ILL = np.repeat(DRAW.random(90) < np.repeat([0.2, 0.5, 0.8], 30), 2).astype(int)


def test_shares_are_those_of_the_training_films() -> None:
    train, test = np.arange(0, 180, 2), np.arange(1, 180, 2)
    shares = site_shares(SITES, ILL, train, test)
    assert shares[0] == pytest.approx(ILL[:60:2].mean()) and shares[-1] == pytest.approx(ILL[120::2].mean())


def test_the_site_alone_has_the_area_of_its_shares() -> None:
    splits = list(repeated_folds(ILL, SUBJECTS, folds=4, repeats=5))
    share = site_shares(SITES, ILL, np.arange(180), np.arange(180))
    assert site_area(SITES, ILL, splits) == pytest.approx(roc_auc_score(ILL, share), abs=0.03)


def test_one_site_says_nothing() -> None:
    assert site_area(np.full(180, "A"), ILL, repeated_folds(ILL, SUBJECTS, folds=5)) == 0.5


def test_a_classifier_that_knows_the_site_alone_is_at_chance_within_sites() -> None:
    scores = np.repeat([0.2, 0.5, 0.8], 60) + DRAW.normal(0, 0.01, 180)
    confound = site_confound(SITES, ILL, scores, repeated_folds(ILL, SUBJECTS, folds=4))
    assert confound.classifier == pytest.approx(confound.site_alone, abs=0.06)
    assert confound.classifier > 0.7 and confound.within_sites == pytest.approx(0.5, abs=0.09)


def test_pairs_within_sites_are_counted_one_by_one() -> None:
    scores = DRAW.normal(ILL, 1.0)
    pairs = [(i, j) for i in np.flatnonzero(ILL) for j in np.flatnonzero(ILL == 0) if SITES[i] == SITES[j]]
    right = np.mean([scores[i] > scores[j] for i, j in pairs])
    area, share = auroc_within(ILL, scores, SITES)
    assert area == pytest.approx(right) and share == len(pairs) / ((ILL == 1).sum() * (ILL == 0).sum())


def test_the_matrix_judges_each_site_s_classifiers_at_every_site() -> None:
    """Scores that know the label at their own site alone."""
    trainings = list(site_trainings(SITES.tolist(), ILL, SUBJECTS, folds=3))
    assert [t.site for t in trainings] == ["A"] * 3 + ["B"] * 3 + ["C"] * 3
    for t in trainings:
        assert (SITES[t.split.train] == t.site).all() and len(t.tests[t.site]) < 60
        used = np.concatenate([t.split.train, t.split.validation])
        assert not any(set(SUBJECTS[used]) & set(SUBJECTS[rows]) for rows in t.tests.values())
    noise = DRAW.normal(0, 1, 180)
    scores = [{s: ILL[r] * 9.0 * (s == t.site) + noise[r] for s, r in t.tests.items()} for t in trainings]
    cells = {(c.train_site, c.test_site): c for c in site_matrix(trainings, scores, ILL, SUBJECTS, draws=50)}
    assert len(cells) == 9 and all(cells[s, s].auroc.value == 1.0 for s in "ABC")
    away = cells["A", "B"]
    assert away.auroc.value == pytest.approx(roc_auc_score(ILL[60:120], noise[60:120]))
    assert away.auroc.low < away.auroc.value < away.auroc.high and away.films == 60 and away.classifiers == 3


def test_who_was_at_two_sites_is_not_judged_by_what_trained_on_them() -> None:
    subjects = SUBJECTS.copy()
    subjects[60:120] = subjects[:60]  # the same people at B
    for t in site_trainings(SITES.tolist(), ILL, subjects, folds=3):
        used = np.concatenate([t.split.train, t.split.validation])
        assert not any(set(subjects[used]) & set(subjects[rows]) for rows in t.tests.values())
