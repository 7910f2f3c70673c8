"""Validity indices against hand-sized cases and other implementations, and the K that is recommended."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from tile_engine.models.evaluation.dunn import dunn, dunn_of_distances, trimmed
from tile_engine.models.evaluation.validity import RANKED_INDICES, ValidityRow, indices, recommend, validity_table


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_dunn_is_what_two_loops_say_for_every_chunk(seed: int, k: int, chunk: int) -> None:
    draw = np.random.default_rng(seed)
    points, labels = draw.normal(size=(14, 3)), draw.permutation(np.arange(14) % k) * 3
    distances = cdist(points, points)
    same = labels[:, None] == labels
    by_hand = distances[~same].min() / distances[same].max()
    assert dunn(points, labels, chunk) == pytest.approx(by_hand)
    assert dunn_of_distances(distances, labels) == pytest.approx(by_hand)


def test_dunn_of_degenerate_clusters() -> None:
    assert math.isnan(dunn(np.zeros((4, 2)), np.zeros(4, int)))
    assert dunn(np.array([[0.0], [3.0]]), np.array([0, 1])) == math.inf


def test_trimming_takes_the_outlier_of_each_cluster() -> None:
    points = np.r_[np.linspace(0, 1, 30), 50.0, np.linspace(100, 101, 30), 160.0][:, None]
    labels = np.repeat([0, 1], 31)
    assert np.flatnonzero(~trimmed(points, labels)).tolist() == [30, 61]


def test_indices_equal_those_of_scikit_learn() -> None:
    points, labels = make_blobs(120, 5, centers=3, random_state=0)
    assert indices(points, labels)["silhouette"] == pytest.approx(silhouette_score(points, labels))
    assert all(math.isnan(value) for value in indices(points, np.zeros(120, int)).values())


@pytest.mark.parametrize("k", [3, 5])
def test_planted_clusters_are_recommended(k: int) -> None:
    points, _ = make_blobs(400, 6, centers=k, cluster_std=0.4, random_state=2)
    labels = {
        (clusters, seed): KMeans(clusters, n_init=2, random_state=seed).fit_predict(points)
        for clusters in range(2, 9)
        for seed in range(2)
    }
    rows = validity_table(points, labels, sample=300)
    assert rows == validity_table(points, labels, sample=300), "the sample is seeded"
    found = recommend(rows)
    assert found.clusters == k
    assert found.mean_ranks[k] == min(found.mean_ranks.values())


def rows_of(best: dict[str, int]) -> list[ValidityRow]:
    return [
        ValidityRow(k, seed, name, -abs(k - best[name]) * RANKED_INDICES[name])
        for name in RANKED_INDICES
        for k in range(2, 21)
        for seed in range(3)
    ]


def test_disagreement_is_said() -> None:
    same = recommend(rows_of(dict.fromkeys(RANKED_INDICES, 7)))
    assert same.clusters == 7 and same.agreement.startswith("The indices agree.")
    apart = recommend(rows_of(dict(zip(RANKED_INDICES, (2, 6, 15, 20), strict=True))))
    assert "disagree" in apart.agreement and "dunn 2" in apart.agreement


def test_the_smallest_k_within_one_standard_error_is_taken() -> None:
    found = recommend(rows_of(dict(zip(RANKED_INDICES, (5, 5, 6, 6), strict=True))))
    limit = min(found.mean_ranks.values()) + found.standard_errors[5]
    assert found.clusters == 5
    assert found.mean_ranks[5] <= limit


def test_a_labelling_that_fell_together_is_ranked_last() -> None:
    rows = [ValidityRow(k, 0, name, float("nan") if k == 4 else 1.0) for name in RANKED_INDICES for k in (3, 4, 5)]
    assert recommend(rows).mean_ranks[4] == 3.0
