"""Neighbours are those of a plain loop, to the bit, whatever the data; lists say how many of them they find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tile_engine.models.neighbours import index
from tile_engine.models.neighbours import inverted_lists as lists
from tile_engine.models.neighbours.index import ExactIndex, merge_neighbours


def brute(codes: Any, groups: Any, query: Any, k: int, without: int) -> list[tuple[int, float]]:
    """(row, distance) by a loop in float64."""
    exact = np.square(codes.astype(np.float64) - query.astype(np.float64)).sum(1)
    rows = [r for r in np.argsort(exact, kind="stable").tolist() if groups[r] != without]
    return [(r, float(np.sqrt(exact[r]))) for r in rows[:k]]


def pairs(near: Any, query: int) -> list[tuple[int, float]]:
    found = near.rows[query] >= 0
    return list(zip(near.rows[query][found].tolist(), near.distances[query][found].tolist(), strict=True))


@st.composite
def cases(draw: Any) -> tuple[Any, Any, Any, Any, int]:
    """Codes with duplicates, offsets and outliers; groups; queries, some of them rows; whom to leave out; k."""
    features, rows = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    numbers = draw(
        st.sampled_from([st.integers(-2, 2).map(float), st.floats(-1e6, 1e6, width=32), st.floats(999, 1001, width=32)])
    )
    codes = draw(arrays(np.float32, (rows, features), elements=numbers))
    groups = draw(arrays(np.int64, rows, elements=st.integers(0, 3)))
    own = draw(st.lists(st.integers(0, rows - 1), max_size=3))
    queries = np.concatenate([draw(arrays(np.float32, (2, features), elements=numbers)), codes[own]])
    without = draw(arrays(np.int64, len(queries), elements=st.integers(-1, 3)))
    return codes, groups, queries, without, draw(st.integers(1, 12))


@given(case=cases(), block=st.sampled_from([7, 1 << 21]), settle=st.sampled_from([1, 1 << 16]))
@settings(max_examples=200, deadline=None)
def test_the_exact_search_is_a_plain_loop(case: Any, block: int, settle: int) -> None:
    """Bit for bit, ties by row, groups left out; also where it settles all the time."""
    codes, groups, queries, without, k = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "SCORES_PER_BLOCK", block)
        patch.setattr(index, "EXACT_ROWS_AT_ONCE", settle)
        patch.setattr(index, "QUERIES_AT_ONCE", 3)
        near = ExactIndex(codes, groups).nearest(queries, k, without)
    for i, query in enumerate(queries):
        assert pairs(near, i) == brute(codes, groups, query, k, int(without[i]))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_many_rows_in_several_blocks_are_as_a_plain_loop(offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all codes lie far from zero, so that a product in float32 tells next to nothing."""
    monkeypatch.setattr(index, "SCORES_PER_BLOCK", 10_000)
    generator = np.random.default_rng(0)
    codes = (generator.normal(size=(30_000, 16)) + offset).astype(np.float32)
    codes[20_000:20_050] = codes[7]
    groups = generator.integers(0, 50, len(codes))
    queries, without = codes[[7, 8, 29_999]], groups[[7, 8, 29_999]]
    for asked in (slice(None), slice(1)):
        near = ExactIndex(codes, groups).nearest(queries[asked], 60, without[asked])
        for i in range(len(queries[asked])):
            assert pairs(near, i) == brute(codes, groups, queries[i], 60, int(without[i]))


def test_codes_that_are_all_the_same_are_taken_by_row() -> None:
    near = ExactIndex(np.ones((200_000, 3), np.float32), np.arange(200_000)).nearest(np.ones((1, 3)), 4, np.array([1]))
    assert pairs(near, 0) == [(0, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)]


def test_codes_that_are_no_numbers_are_refused() -> None:
    for wrong in (np.nan, np.inf, 1e30):
        with pytest.raises(ValueError, match="finite"):
            ExactIndex(np.array([[0.0], [wrong]]), np.arange(2))


@given(case=cases(), cut=st.integers(0, 40))
@settings(deadline=None)
def test_two_indices_merged_are_one(case: Any, cut: int) -> None:
    codes, groups, queries, without, k = case
    parts = [(c, g) for c, g in ((codes[:cut], groups[:cut]), (codes[cut:], groups[cut:]))]
    near = merge_neighbours(
        [(ExactIndex(c, g).nearest(queries, k, without), first) for (c, g), first in zip(parts, (0, cut), strict=True)],
        k,
    )
    whole = ExactIndex(codes, groups).nearest(queries, k, without)
    assert [pairs(near, i) for i in range(len(queries))] == [pairs(whole, i) for i in range(len(queries))]


@pytest.fixture
def clumps(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Codes in clumps, as embeddings are; few enough for a test, so lists are asked for earlier."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(lists, "MIN_LIST_ROWS", 1000)
    generator = np.random.default_rng(1)
    codes = generator.normal(size=(40, 8))[generator.integers(0, 40, 6000)] * 5 + generator.normal(size=(6000, 8))
    return codes.astype(np.float32), generator.integers(0, 30, 6000)


def test_lists_state_the_recall_that_they_have(clumps: tuple[Any, Any]) -> None:
    codes, groups = clumps
    found = lists.build_index(codes, groups)
    assert (
        isinstance(found, lists.InvertedLists)
        and lists.TARGET_RECALL <= found.recall <= 1
        and found.probes < found.faiss.nlist
    )
    asked = np.random.default_rng(2).choice(len(codes), 500, replace=False)
    near = found.nearest(codes[asked], 10, groups[asked])
    true = found.exact.nearest(codes[asked], 10, groups[asked])
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near.rows, true.rows, strict=True)])
    assert abs(share - found.recall) < 0.03
    assert not np.any(groups[near.rows] == groups[asked][:, None])
    both = near.rows == true.rows
    assert np.array_equal(near.distances[both], true.distances[both])


def test_lists_come_back_as_they_were(clumps: tuple[Any, Any]) -> None:
    codes, groups = clumps
    found = lists.build_index(codes, groups)
    assert isinstance(found, lists.InvertedLists)
    again = lists.restore_index(codes, groups, found.bytes(), probes=found.probes, recall=found.recall)
    first, second = (i.nearest(codes[:50], 10, groups[:50]) for i in (found, again))
    assert np.array_equal(first.rows, second.rows) and again.recall == found.recall


def test_a_group_that_fills_the_nearest_lists_hides_nothing(clumps: tuple[Any, Any]) -> None:
    """All but a few rows are of the query's own group: lists are looked into until k others are found."""
    codes, _ = clumps
    groups = np.zeros(len(codes), np.int64)
    groups[::600] = 1
    found = lists.build_index(codes, np.arange(len(codes)))
    assert isinstance(found, lists.InvertedLists)
    other = lists.InvertedLists(ExactIndex(codes, groups), found.faiss, 1, 1.0)
    near = other.nearest(codes[1:2], 10, np.array([0]))
    assert near.rows[0].tolist() == other.exact.nearest(codes[1:2], 10, np.array([0])).rows[0].tolist()


def test_where_lists_would_find_too_little_the_search_is_exact(
    clumps: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MIN_LISTS_PER_PROBE", 10**6)
    assert isinstance(lists.build_index(*clumps), ExactIndex)


def test_without_faiss_all_is_exact(clumps: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = lists.build_index(*clumps)
    assert isinstance(found, lists.InvertedLists)
    monkeypatch.setattr(lists, "faiss_available", lambda: False)
    assert isinstance(lists.build_index(*clumps), ExactIndex)
    assert isinstance(lists.restore_index(*clumps, found.bytes(), probes=1, recall=1.0), ExactIndex)
