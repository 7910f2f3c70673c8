"""Trees of clusters: whatever the merges, levels are nested, and a cluster keeps its number at finer levels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.clustering.tree import Merge, cut, number_at, numbered


@st.composite
def trees(draw: st.DrawFn, most: int = 12) -> tuple[list[Merge], list[int]]:
    """Any merges of 1 to `most` clusters, with sizes of which some are 0."""
    sizes = draw(st.lists(st.integers(0, 50), min_size=1, max_size=most))
    standing, merges = list(range(len(sizes))), []
    while len(standing) > 1:
        first, second = draw(st.permutations(standing))[:2]
        merges.append(Merge(first, second, float(len(merges))))
        standing.remove(second)
    return merges, sizes


def groups(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@given(trees())
@settings(max_examples=60, deadline=None)
def test_the_clusters_of_a_level_are_one_to_k_and_those_of_the_cut(tree: tuple[list[Merge], list[int]]) -> None:
    merges, sizes = tree
    numbers, parents = numbered(merges, sizes)
    assert sorted(numbers) == list(range(1, len(sizes) + 1))
    for level in range(1, len(sizes) + 1):
        shown = number_at(parents, level)[numbers - 1]
        assert sorted(set(shown.tolist())) == list(range(1, level + 1))
        assert groups(shown) == groups(cut(merges, len(sizes), level))


@given(trees())
@settings(max_examples=60, deadline=None)
def test_a_split_leaves_all_other_clusters_alone_and_its_larger_part_keeps_the_number(
    tree: tuple[list[Merge], list[int]],
) -> None:
    merges, sizes = tree
    numbers, parents = numbered(merges, sizes)
    for level in range(2, len(sizes) + 1):
        fine, coarse = (number_at(parents, k)[numbers - 1] for k in (level, level - 1))
        assert (fine == coarse)[fine != level].all()
        assert (coarse[fine == level] == parents[level - 1]).all()
        totals = np.bincount(fine, weights=sizes, minlength=level + 1)
        assert totals[parents[level - 1]] >= totals[level]


@given(trees(), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_the_number_at_a_level_is_found_by_walking_up(tree: tuple[list[Merge], list[int]], level: int) -> None:
    _, parents = numbered(*tree)
    for number, found in enumerate(number_at(parents, level).tolist(), start=1):
        while number > level:
            number = int(parents[number - 1])
        assert number == found


def test_a_cut_at_more_clusters_than_there_are_leaves_each_alone() -> None:
    assert cut((Merge(0, 1, 1.0),), 2, 5).tolist() == [0, 1]
