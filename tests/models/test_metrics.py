"""Metrics: laws of matched accuracy, and clusters that only tell slides apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.metrics import agreement, matched_accuracy, slide_dependence


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_matched_accuracy_is_the_best_over_all_matchings(seed: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    classes, clusters = draw.integers(0, 4, 30), draw.integers(0, k, 30)
    best = max(
        np.mean([names[cluster] == of for cluster, of in zip(clusters, classes, strict=True)])
        for names in itertools.permutations(range(4), 4)
    )
    assert matched_accuracy(classes, clusters) == pytest.approx(best)


def test_names_of_clusters_do_not_matter() -> None:
    classes = np.repeat(["a", "b", "c"], 10)
    found = agreement(classes, np.repeat([7, 2, 5], 10))
    assert (found.accuracy, found.nmi, found.ari) == (1.0, pytest.approx(1.0), pytest.approx(1.0))


def test_a_cluster_that_lives_on_one_of_three_slides_is_called_out_and_tissue_is_not() -> None:
    slides = np.repeat([0, 1, 2], 300)
    clusters = np.tile(np.repeat([0, 1, 2], 100), 3)
    shared = slide_dependence(clusters, slides)
    assert not shared.single_slide.any() and shared.adjusted == pytest.approx(0.0, abs=0.01)
    clusters[600:700] = 9
    found = slide_dependence(clusters, slides)
    assert found.clusters[found.single_slide].tolist() == [9]
    assert found.largest_share[found.clusters == 9] == 1.0


def test_a_large_slide_alone_is_no_reason() -> None:
    slides = np.r_[np.zeros(5000, int), np.ones(100, int), np.full(100, 2)]
    clusters = np.arange(5200) % 3
    found = slide_dependence(clusters, slides)
    assert found.largest_share.min() > 0.9
    assert not found.single_slide.any()


def test_two_slides_say_nothing_about_artefacts() -> None:
    assert not slide_dependence(np.repeat([0, 1], 100), np.repeat([0, 1], 100)).single_slide.any()
