"""Ranking: areas are those of scikit-learn, with ties too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tile_engine.models.evaluation.ranking import auroc, average_precision


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=40))
def test_areas_are_those_of_scikit_learn(cases: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in cases], int)
    scores = np.array([score for _, score in cases], float)
    labels[:2] = 0, 1
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_one_label_has_no_area() -> None:
    assert np.isnan(auroc(np.zeros(3), np.arange(3))) and np.isnan(average_precision(np.zeros(3), np.arange(3)))
