"""Metrics: laws of matched accuracy, and clusters that only tell slides apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.evaluation.metrics import agreement, matched_accuracy


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
