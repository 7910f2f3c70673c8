"""Clusters that lie on one slide, stain or scanner."""

from __future__ import annotations

import numpy as np

from tile_engine.models.evaluation.bound import bound_clusters

SLIDES = ("s1", "s2", "s3", "s4")


def test_a_cluster_on_one_stain_is_named_and_one_on_both_is_not() -> None:
    counts = np.array([[100, 100, 60, 60], [0, 2, 40, 38]])
    [found] = bound_clusters(counts, {"stain": ("HE", "HE", "CD31", "CD31"), "slide": SLIDES})
    assert (found.cluster, found.column, found.value) == (2, "stain", "CD31")


def test_a_value_with_most_of_the_tiles_proves_nothing() -> None:
    counts = np.array([[900, 20, 20, 20], [99, 1, 0, 0]])
    assert bound_clusters(counts, {"slide": SLIDES}) == ()


def test_a_cluster_of_few_tiles_is_not_looked_at() -> None:
    assert bound_clusters(np.array([[100, 100, 100, 100], [19, 0, 0, 0]]), {"slide": SLIDES}) == ()


def test_slides_without_a_value_are_no_value() -> None:
    assert bound_clusters(np.array([[100, 100, 100, 100], [0, 0, 99, 0]]), {"stain": ("a", "b", "", "a")}) == ()


def test_no_tiles_bind_nothing() -> None:
    assert bound_clusters(np.zeros((2, 4), int), {"slide": SLIDES}) == ()


def test_values_are_not_compared_with_one_another() -> None:
    """Thousands of slides, each of which is a value of its own, take no time for each pair."""
    compared = []

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return str.__eq__(self, str(other))

    counts = np.ones((3, 100), int)
    counts[1] = 0
    counts[1, 7] = 40
    [found] = bound_clusters(counts, {"slide": [Name(i) for i in range(100)]})
    assert (found.cluster, found.value, found.share) == (2, "7", 1.0)
    assert len(compared) <= 100
