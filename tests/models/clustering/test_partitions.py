"""Partitions at every K: kinds with gaps are found whatever their sizes and shapes, and few points are no fault."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from tile_engine.models.clustering.distances import nearest_centre, squared_gaps
from tile_engine.models.clustering.partitions import METHODS, Method, partitions

EVERY: tuple[Method, ...] = (*METHODS, "ward")


def two_arcs() -> tuple[np.ndarray, np.ndarray]:
    """A long arc with a rare kind inside it: no two centres tell them apart."""
    draw = np.random.default_rng(1)
    angle = draw.uniform(0, np.pi, 500)
    arc = np.stack([np.cos(angle), np.sin(angle)], 1) * 6
    inside = draw.normal((0, 1), 0.3, (60, 2))
    return np.r_[arc + draw.normal(0, 0.3, arc.shape), inside], np.repeat([0, 1], [500, 60])


def test_the_merged_graph_finds_unequal_curved_kinds_where_k_means_does_not() -> None:
    points, truth = two_arcs()
    scores = {m: adjusted_rand_score(truth, partitions(points, [2], m, 0)[2].labels(points)) for m in METHODS}
    assert scores["separate"] > 0.95 > 0.5 > scores["continuous"]


@pytest.mark.parametrize("method", EVERY)
def test_each_k_has_its_number_of_clusters_and_levels_of_the_graph_are_nested(method: Method) -> None:
    points = np.random.default_rng(0).normal(size=(200, 4))
    found = {k: c.labels(points) for k, c in partitions(points, [2, 3, 7], method, 3).items()}
    assert all(sorted(set(labels.tolist())) == list(range(k)) for k, labels in found.items())
    again = partitions(points, [7], method, 3)[7].labels(points)
    assert (again == found[7]).all(), "other Ks change nothing"
    if method != "continuous":
        assert all(len(set(found[3][found[7] == cluster].tolist())) == 1 for cluster in range(7))


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_of_fewer_points_than_clusters_each_is_a_cluster(method: Method, count: int) -> None:
    points = np.arange(count, dtype=float)[:, None] * [1, 5]
    labels = partitions(points, [8], method, 0)[8].labels(points)
    assert sorted(set(labels.tolist())) == list(range(count))


def test_gaps_are_squared_distances() -> None:
    draw = np.random.default_rng(0)
    points, centres = draw.normal(size=(30, 5)), draw.normal(size=(4, 5))
    np.testing.assert_allclose(squared_gaps(points, centres), cdist(points, centres, "sqeuclidean"), atol=1e-12)
    assert (nearest_centre(points, centres) == cdist(points, centres).argmin(1)).all()
