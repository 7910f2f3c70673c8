"""Validity indices against hand-sized cases and other implementations."""

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
from tile_engine.models.evaluation.validity import INDEX_NAMES, indices, s_dbw, silhouettes, validity_table, xie_beni


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


def test_xie_beni_by_hand() -> None:
    """Squared distances to the centres (1, 0), (7, 0), (7, 9): six of 1 each; the nearest centres are 6 apart."""
    points = np.array([[0.0, 0], [2, 0], [6, 0], [8, 0], [7, 8], [7, 10]])
    labels = np.array([4, 4, 0, 0, 2, 2])
    assert xie_beni(points, labels) == pytest.approx(1 / 36)
    assert xie_beni(np.zeros((4, 1)), np.array([0, 0, 1, 1])) == math.inf


def test_s_dbw_by_hand() -> None:
    """Two clusters of variance 1 about 1 and 11 in a line; the whole has variance 26, and the radius is sqrt(2) / 2."""
    points = np.array([[0.0], [2], [10], [12]])
    labels = np.array([0, 0, 1, 1])
    assert s_dbw(points, labels) == pytest.approx(1 / 26), "no point lies at a centre or between the two"
    crowded = np.r_[points, [[1.0], [11], [6]]]
    of_first = np.array([0, 0, 1, 1, 0, 1, 0])  # the point in the middle belongs to the first
    centres = np.array([9 / 4, 11.0])
    variances = np.array([crowded[of_first == i].var() for i in (0, 1)])
    radius = math.sqrt(variances.sum()) / 2
    middle = (np.abs(crowded - centres.mean()) <= radius).sum()
    own = [(np.abs(crowded[of_first == i] - centres[i]) <= radius).sum() for i in (0, 1)]
    by_hand = variances.mean() / crowded.var() + middle / max(own)
    assert middle == 1 and s_dbw(crowded, of_first) == pytest.approx(by_hand)


def test_a_table_has_every_index_of_every_labelling_on_one_seeded_sample() -> None:
    points, _ = make_blobs(400, 6, centers=3, cluster_std=0.4, random_state=2)
    labels = {(k, seed): KMeans(k, n_init=2, random_state=seed).fit_predict(points) for k in (3, 5) for seed in (0, 1)}
    rows = validity_table(points, labels, sample=200)
    assert rows == validity_table(points, labels, sample=200) != validity_table(points, labels, sample=200, seed=1)
    keys = [(r.clusters, r.seed) for r in rows]
    assert keys == [key for key in sorted(labels) for _ in INDEX_NAMES]
    assert {r.index for r in rows} == set(INDEX_NAMES)
    values = {(r.clusters, r.index): r.value for r in rows if r.seed == 0}
    higher = {"dunn_trimmed", "silhouette", "calinski_harabasz"}
    for name in (*higher, "davies_bouldin", "xie_beni", "s_dbw"):
        assert (values[3, name] > values[5, name]) == (name in higher), f"{name} prefers the planted number"


def test_the_scale_of_single_features_does_not_matter() -> None:
    points, truth = make_blobs(100, 3, centers=2, random_state=0)
    scaled = validity_table(points * (1, 100, 0.01), {(2, 0): truth})
    assert [r.value for r in scaled] == pytest.approx([r.value for r in validity_table(points, {(2, 0): truth})])


def test_silhouettes_of_several_labellings_of_one_plane() -> None:
    points, labels = make_blobs(300, 2, centers=4, cluster_std=0.3, random_state=0)
    points = np.vstack([points, [[np.nan, 0.0]]])
    labellings = {4: np.append(labels, 0), 2: np.append(labels // 2, 0), 1: np.zeros(301, int)}
    found = silhouettes(points, labellings)
    assert found[4] == pytest.approx(silhouette_score(points[:300], labels)) and found[4] > found[2]
    assert math.isnan(found[1]), "one cluster has none"
    assert found == pytest.approx(silhouettes(points, labellings, sample=300, seed=1), nan_ok=True)
    assert math.isnan(silhouettes(points[:0], {2: labels[:0]})[2])


def test_a_silhouette_is_that_of_sklearn_to_the_last_bit() -> None:
    points = np.random.default_rng(0).normal(size=(301, 2))
    for clusters in (2, 7, 90):  # of 90 some have one point
        labels = 3 * np.random.default_rng(clusters).integers(0, clusters, len(points))
        expected = silhouette_score(cdist(points, points), labels, metric="precomputed")
        assert silhouettes(points, {clusters: labels}) == {clusters: expected}
