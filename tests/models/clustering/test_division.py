"""Division of clusters: whatever the clustering, it is a level of the tree."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.clustering.division import MIN_FINE_POINTS, divide, most_fine_clusters
from tile_engine.models.clustering.tree import cut, number_at, numbered


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=12, deadline=None)
def test_the_clusters_that_are_divided_are_exactly_a_level(seed: int, clusters: int) -> None:
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(160, 3))
    labels = draw.choice(clusters, 160, p=draw.dirichlet(np.ones(clusters)))  # some are rare or without points
    division = divide(points, labels, clusters, seed, most=9)
    fine = len(division.parents)
    assert clusters <= fine <= max(9, clusters) and len(division.merges) == fine - 1
    assert (division.parents[division.labels] == labels).all()
    owner = cut(division.merges, fine, clusters)
    assert (owner == division.parents).all()
    numbers, parents = numbered(division.merges, np.bincount(division.labels, minlength=fine).tolist())
    shown = number_at(parents, clusters)[numbers - 1]
    assert len(set(zip(shown.tolist(), division.parents.tolist(), strict=True))) == clusters


def test_large_clusters_get_more_fine_clusters_and_tight_pairs_unite_first() -> None:
    draw = np.random.default_rng(0)
    places = np.array([[0.0, 0], [1, 0], [8, 0], [40, 40]])  # three places in one cluster, two of them near each other
    points = np.repeat(places, 100, 0) + draw.normal(0, 0.1, (400, 2))
    division = divide(points, np.repeat([0, 0, 0, 1], 100), 2, 0, most=6)
    assert np.bincount(division.parents).tolist() == [4, 2]
    within = cut(division.merges, 6, 3)[division.labels]
    assert len(set(within[:200].tolist())) == 1 and within[0] != within[200] != within[300]


def test_a_small_cluster_is_not_divided() -> None:
    points = np.random.default_rng(0).normal(size=(2 * MIN_FINE_POINTS - 1, 2))
    assert len(divide(points, np.zeros(len(points), int), 1, 0).parents) == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), points=st.integers(3, 400), clusters=st.integers(2, 40), least=st.sampled_from([5, 20]))
def test_there_are_never_more_fine_clusters_than_most(seed: int, points: int, clusters: int, least: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, draw.integers(1, clusters + 1), points)
    division = divide(draw.normal(size=(points, 2)), labels, clusters, seed, least=least)
    assert len(division.parents) <= most_fine_clusters(clusters, points, least=least)
