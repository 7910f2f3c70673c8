"""Metrics: laws of matched accuracy, and clusters that only tell slides apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import normalized_mutual_info_score

from tile_engine.models.evaluation.metrics import agreement, matched_accuracy, slide_dependence


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
    shared = slide_dependence(np.full((3, 3), 100))
    assert shared.single_slide == () and shared.nmi == pytest.approx(0.0, abs=1e-9)
    assert slide_dependence(np.array([[100, 100, 100], [0, 60, 1]])).single_slide == (2,)


def test_a_large_slide_alone_is_no_reason() -> None:
    assert slide_dependence(np.array([[2500, 50, 50], [2500, 50, 50]])).single_slide == ()


def test_two_slides_say_nothing_about_artefacts() -> None:
    assert slide_dependence(np.diag([100, 100])).single_slide == ()


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, (3, 4), elements=st.integers(0, 6)))
def test_mutual_information_of_counts_is_that_of_the_tiles(counts: np.ndarray) -> None:
    cluster, slide = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    if len(set(cluster)) < 2 or len(set(slide)) < 2:
        return  # conventions differ where there is nothing to share
    assert slide_dependence(counts).nmi == pytest.approx(normalized_mutual_info_score(slide, cluster), abs=1e-9)
