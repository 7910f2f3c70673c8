"""Merging along the graph of nearest neighbours, against counting by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial.distance import cdist

from tile_engine.models.clustering.agglomeration import merges_of, neighbour_edges
from tile_engine.models.clustering.tree import cut


def test_edges_are_those_of_a_full_table_of_distances() -> None:
    draw = np.random.default_rng(0)
    points, labels = draw.normal(size=(40, 3)), draw.integers(0, 4, 40)
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    expected = np.zeros((5, 5))
    for i, row in enumerate(distances):
        for j in np.argsort(row)[:6]:
            expected[labels[i], labels[j]] += 1
            expected[labels[j], labels[i]] += 1
    np.testing.assert_array_equal(neighbour_edges(points, labels, 5, neighbours=6), expected)
    assert not neighbour_edges(points[:1], labels[:1], 5).any()
    assert neighbour_edges(points, labels, 5).sum() == 2 * 40 * 5, "of few points one neighbour for every eight"
    assert neighbour_edges(points[:6], labels[:6], 5).sum() == 2 * 6 * 3
    many = draw.normal(size=(200, 3))
    assert neighbour_edges(many, np.zeros(200, int), 1).sum() == 2 * 200 * 10


def test_the_pair_with_most_edges_for_its_size_merges_first() -> None:
    """Clusters 0 and 1 share more edges, 2 and 3 more for their sizes; 4 has no edge to anyone, and is merged last."""
    edges = np.diag([900.0, 900, 40, 40, 100])
    edges[0, 1] = edges[1, 0] = 60
    edges[2, 3] = edges[3, 2] = 30
    edges[1, 2] = edges[2, 1] = 2
    merges = merges_of(edges)
    assert [(m.first, m.second) for m in merges] == [(2, 3), (0, 1), (0, 2), (0, 4)]
    assert all(a.height < b.height for a, b in pairwise(merges))


def test_clusters_without_points_and_edges_merge_in_a_fixed_order() -> None:
    merges = merges_of(np.zeros((4, 4)))
    assert len(merges) == 3 and sorted(cut(merges, 4, 1).tolist()) == [0, 0, 0, 0]
    assert merges == merges_of(np.zeros((4, 4))) and all(np.isfinite(m.height) for m in merges)
