"""Clusters of a tree and those of another clustering: one to one by the tiles that they have in common."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.clustering.correspondence import correspond, united


def pairs(overlap: list[list[int]], parents: tuple[int, ...], *levels: int) -> dict[int, int]:
    return {c.cluster: c.other for c in correspond(np.array(overlap), parents, levels)}


def test_the_pairs_have_the_most_tiles_in_common_together() -> None:
    """Cluster 1 alone would take the first, and leave cluster 2 nothing."""
    assert pairs([[50, 45], [40, 0]], (0, 1), 2) == {1: 1, 2: 0}


def test_a_pair_that_shares_no_majority_of_either_is_none() -> None:
    assert pairs([[90, 0, 0], [0, 30, 70]], (0, 1), 2) == {1: 0, 2: 2}
    thirds = [0, 30, 30, 30]
    assert pairs([[90, 0, 0, 0], thirds, thirds, thirds], (0, 1, 1, 1), 4) == {1: 0}
    assert pairs([[90, 0], [0, 0]], (0, 1), 2) == {1: 0}, "nothing in common"


def test_clusters_of_finer_levels_are_matched_to_what_the_first_level_left() -> None:
    overlap = [[60, 0, 0], [0, 80, 0], [10, 5, 40]]
    assert pairs(overlap, (0, 1, 2), 2) == {1: 0, 2: 1}
    assert pairs(overlap, (0, 1, 2), 2, 3) == {1: 0, 2: 1, 3: 2}


def test_shares_are_of_the_clusters_of_the_level() -> None:
    found = correspond(np.array([[90, 5], [10, 40], [30, 0]]), (0, 1, 1), (2,))
    assert [(c.share, c.other_share) for c in found] == [
        (pytest.approx(120 / 125), pytest.approx(120 / 130)),
        (pytest.approx(40 / 50), pytest.approx(40 / 45)),
    ]


def test_united_keeps_all_tiles() -> None:
    overlap = np.random.default_rng(0).integers(0, 9, (5, 3))
    for level in range(1, 6):
        table = united(overlap, (0, 1, 1, 2, 3), level)
        assert table.shape == (level, 3) and (table.sum(0) == overlap.sum(0)).all()
