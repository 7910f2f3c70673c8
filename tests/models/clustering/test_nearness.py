"""Which clusters are nearest: distances of centres that are means of fine clusters, weighted by tiles."""

from __future__ import annotations

import numpy as np

from tile_engine.models.clustering.nearness import nearness

CENTRES = np.array([[0.0, 0], [4, 0], [4, 3], [0, 20]])


def test_centres_are_weighted_means() -> None:
    found = nearness(CENTRES, np.array([0, 0, 1, 2]), np.array([3, 1, 5, 5]), 3)
    assert found.order.tolist() == [[1, 2], [0, 2], [1, 0]]
    np.testing.assert_allclose(found.distances[0], [np.hypot(3, 3), np.hypot(1, 20)])


def test_fine_clusters_without_tiles_count_only_where_a_cluster_has_no_others() -> None:
    found = nearness(CENTRES, np.array([0, 0, 1, 1]), np.array([1, 0, 0, 0]), 2)
    np.testing.assert_allclose(found.distances, [[np.hypot(2, 11.5)]] * 2)


def test_a_group_without_fine_clusters_is_far_from_all() -> None:
    found = nearness(CENTRES[:2], np.array([0, 2]), np.ones(2), 3)
    assert found.order[0].tolist() == [2, 1] and np.isnan(found.distances[0, 1])
