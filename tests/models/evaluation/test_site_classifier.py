"""A fresh classifier of sites: what it may be trained on, and what its figures say."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from tile_engine.models.evaluation.site_classifier import (
    accuracy_of,
    discriminant_learner,
    header_learner,
    logistic_learner,
    predict_sites,
    ridge_learner,
)
from tile_engine.models.evaluation.wilson import Z_95, wilson

SUBJECTS = np.repeat(np.arange(12), 2)
SITES = np.tile([0, 1], 12)


def test_each_scored_scan_is_predicted_once_and_no_subject_is_on_both_sides() -> None:
    scored = SUBJECTS < 8
    seen: list[int] = []

    def learner(train, test):
        assert not set(SUBJECTS[train]) & set(SUBJECTS[test])
        assert set(range(8, 12)) <= set(SUBJECTS[train])  # subjects that are not scored train every fold
        seen.extend(test.tolist())
        return SITES[test]

    predicted = predict_sites(learner, SITES, SUBJECTS, scored, folds=4)
    assert sorted(seen) == np.flatnonzero(scored).tolist()
    assert (predicted[~scored] == -1).all() and (predicted[scored] == SITES[scored]).all()


def test_logistic_regression_tells_sites_that_differ_and_no_others() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(24, 5))
    every = np.ones(24, bool)
    differ = predict_sites(logistic_learner(features + 9 * SITES[:, None], SITES), SITES, SUBJECTS, every)
    assert accuracy_of(differ, SITES).accuracy == 1
    same = predict_sites(logistic_learner(features, SITES), SITES, SUBJECTS, every)
    assert accuracy_of(same, SITES).low < 0.5


def test_figures_of_uneven_sites() -> None:
    figures = accuracy_of(np.zeros(10, int), np.array([0] * 9 + [1]))
    assert (figures.accuracy, figures.chance, figures.balanced) == (0.9, 0.9, 0.5)
    assert np.isnan(accuracy_of(np.full(3, -1), np.zeros(3, int)).accuracy)


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (7, 7), (3, 10), (49, 50)])
def test_ends_of_wilsons_interval_are_where_the_score_test_just_rejects(hits: int, count: int) -> None:
    assert pytest.approx(NormalDist().inv_cdf(0.975)) == Z_95
    for end in wilson(hits, count):
        if 0 < end < 1:
            assert abs(hits / count - end) / np.sqrt(end * (1 - end) / count) == pytest.approx(Z_95)


def test_a_discriminant_weighs_down_what_differs_within_sites() -> None:
    """People differ by far more than sites along the first feature; both features tell the site only together."""
    draw = np.random.default_rng(0)
    person, sites = draw.normal(0, 3, 240), np.arange(240) % 2
    features = np.stack([person + sites, person + draw.normal(0, 0.2, 240)], 1)
    train, test = np.arange(160), np.arange(160, 240)
    assert (discriminant_learner(features, sites)(train, test) == sites[test]).mean() > 0.9
    assert (discriminant_learner(features[:, :1], sites)(train, test) == sites[test]).mean() < 0.75
    assert discriminant_learner(features, sites)(train[:2], train[:2]).tolist() == sites[:2].tolist()


def test_a_header_and_a_ridge_tell_what_they_can() -> None:
    sites = np.arange(40) % 2
    header = np.stack([np.where(sites, 256.0, 192.0), np.ones(40)], 1)
    train, test = np.arange(30), np.arange(30, 40)
    assert (header_learner(header, sites)(train, test) == sites[test]).all()
    assert (ridge_learner(header)(sites)(train, test) == sites[test]).all()
    assert (ridge_learner(header)(1 - sites)(train, test) != sites[test]).all()
