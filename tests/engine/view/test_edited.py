"""What is edited at one level leaves the merges of other levels, and ignored clusters are one."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.engine.runs.cluster.shown import ShownClusters
from tile_engine.engine.view.edited import GREY, table_of
from tile_engine.engine.view.levels import Tree
from tile_engine.errors import SettingsError

FINEST = 6


def tree_of(into: dict[int, int], names: dict[int, str]) -> Tree:
    """Levels of 2 to 6 clusters, numbered as they split; a merge stands at the levels that have both clusters."""
    levels = {}
    for level in range(2, FINEST + 1):
        numbers = tuple(range(1, level + 1))
        levels[level] = ShownClusters(
            level=level,
            numbers=numbers,
            number=np.zeros(FINEST + 1, np.uint8),
            names=tuple(names.get(n, f"cluster {n}") for n in numbers),
            colours=tuple((n, n, n) for n in numbers),
            tiles=(1,) * level,
            slides={},
            into={a: b for a, b in into.items() if max(a, b) <= level},
        )
    return Tree(levels, 3, 3, (2, 3), {})


def merged(rows: list[dict[str, str]]) -> dict[int, int]:
    return {int(row["cluster"]): int(row["into"]) for row in rows if row["into"]}


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ({5: 2}, {}, {5: 2}),
        ({5: 2, 6: 1}, {3: {"into": "1"}}, {5: 2, 6: 1, 3: 1}),
        ({5: 2}, {2: {"into": "1"}}, {2: 1, 5: 1}),  # a chain goes into its last cluster
        ({1: 5}, {2: {"into": "1"}}, {2: 1, 5: 1}),  # 5 does not stand at this level
        ({1: 5}, {2: {"name": "x"}}, {1: 5}),
        ({3: 2}, {3: {"into": ""}}, {}),
        ({}, {1: {"into": "2"}, 2: {"into": "3"}}, {1: 3, 2: 3}),
    ],
)
def test_merges_of_finer_levels_stay(
    before: dict[int, int], edits: dict[int, dict[str, str]], after: dict[int, int]
) -> None:
    assert merged(table_of(tree_of(before, {}), 3, edits)) == after


def test_names_and_colours_of_all_clusters_are_told() -> None:
    rows = table_of(tree_of({}, {6: "gland"}), 2, {1: {"name": "mucosa", "colour": "#112233"}})
    assert [row["cluster"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert (rows[0]["name"], rows[0]["colour"]) == ("mucosa", "#112233")
    assert (rows[5]["name"], rows[5]["colour"]) == ("gland", "#060606")


@pytest.mark.parametrize(
    ("before", "level", "edits", "after"),
    [
        ({}, 5, {2: {"into": "ignored"}, 4: {"into": "ignored"}}, {4: 2, 5: 2}),
        ({}, 2, {1: {"into": "ignored"}}, {5: 1}),  # 5 was ignored at a finer level: there is one grey cluster
        ({6: 5}, 3, {3: {"into": "ignored"}}, {5: 3, 6: 3}),
        ({6: 5}, 6, {5: {"into": ""}}, {}),  # 6 stays ignored, on its own
        ({6: 5}, 6, {6: {"into": "1"}}, {6: 1}),
    ],
)
def test_ignored_clusters_are_one(
    before: dict[int, int], level: int, edits: dict[int, dict[str, str]], after: dict[int, int]
) -> None:
    rows = table_of(tree_of(before, {5: "ignored"}), level, edits)
    assert merged(rows) == after
    own = [row for row in rows if row["name"] == "ignored" and not row["into"]]
    assert len(own) == 1 and own[0]["colour"] == GREY


def test_a_circle_is_refused() -> None:
    with pytest.raises(SettingsError, match="merged into each other"):
        table_of(tree_of({}, {}), 3, {1: {"into": "2"}, 2: {"into": "1"}})
