"""DeLong's test: areas and covariances against their definition, pair by pair; its interval against many drawn samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tile_engine.errors import SettingsError
from tile_engine.models.evaluation.delong import areas_covariance, compare_areas


def cases(seed: int = 0, m: int = 12, n: int = 17) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat([1, 0], [m, n]))
    shared = draw.normal(0, 1, m + n)
    scores = np.stack([shared + labels + draw.normal(0, 0.5, m + n), shared + 0.5 * labels + draw.normal(0, 1, m + n)])
    return labels, scores.round(1)  # rounded: ties


def test_areas_and_covariance_are_those_of_the_definition() -> None:
    labels, scores = cases()
    areas, covariance = areas_covariance(labels, scores)
    kernel = np.stack([np.greater.outer(r[labels == 1], r[labels == 0]) * 1.0 for r in scores])
    kernel += 0.5 * np.stack([np.equal.outer(r[labels == 1], r[labels == 0]) for r in scores])
    v10, v01 = kernel.mean(2), kernel.mean(1)
    expected = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    assert np.allclose(areas, [roc_auc_score(labels, row) for row in scores])
    assert np.allclose(covariance, expected)


def test_the_p_value_is_that_of_the_normal_deviate() -> None:
    labels, scores = cases(1)
    compared = compare_areas(labels, *scores)
    areas, c = areas_covariance(labels, scores)
    deviation = np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1])
    assert compared.p == pytest.approx(2 * norm.sf(abs(areas[0] - areas[1]) / deviation))
    assert compared.high - compared.low == pytest.approx(2 * 1.959964 * deviation, rel=1e-6)


def test_a_score_does_not_differ_from_itself() -> None:
    labels, scores = cases(2)
    same = compare_areas(labels, scores[0], 3 * scores[0] - 1)
    assert same.difference == 0.0 and same.p == 1.0 and same.low == same.high == 0.0


def test_the_null_is_rejected_as_often_as_it_should_be() -> None:
    """Two scores of the same quality: p below 0.05 in about one sample of twenty."""
    draw = np.random.default_rng(3)
    labels = np.repeat([0, 1], 40)
    p = []
    for _ in range(400):
        shared = draw.normal(0, 1, 80) + labels
        p.append(compare_areas(labels, shared + draw.normal(0, 1, 80), shared + draw.normal(0, 1, 80)).p)
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085


def test_one_case_of_a_label_is_refused() -> None:
    with pytest.raises(SettingsError, match="two cases"):
        compare_areas(np.array([0, 0, 1]), np.arange(3.0), np.arange(3.0))
