"""Typical members of clusters: nearest the centre, at random, and at the border; those of a lower turn first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tile_engine.models.clustering.typical import FinePoints


@pytest.fixture
def line() -> Any:
    """Points 0 to 29 on a line, in three fine clusters of ten, and an empty fourth."""
    return FinePoints.of(np.arange(30.0)[:, None], np.arange(30) // 10, np.zeros(30, int), 4, 0)


def test_central_ones_are_nearest_to_the_mean(line: FinePoints) -> None:
    assert set(line.central(np.arange(10), 2).tolist()) == {4, 5}
    assert set(line.central(np.arange(20), 2).tolist()) == {9, 10}, "of both fine clusters together"


def test_border_ones_are_nearest_to_the_plane_between_the_group_and_the_others(line: FinePoints) -> None:
    rows, beyond = line.border([0], 2)
    assert rows.tolist() == [9, 8] and beyond.tolist() == [1, 1]
    rows, beyond = line.border([1], 4)
    assert set(rows[:2].tolist()) == {10, 19} and dict(zip(rows.tolist(), beyond.tolist(), strict=True))[19] == 2
    assert line.border([0, 1], 1)[0].tolist() == [19]
    assert not len(line.border([0, 1, 2, 3], 3)[0]), "what holds all has no border"
    assert not len(line.border([3], 3)[0]), "nor has what is empty"


def test_random_ones_of_two_groups_are_among_those_of_each(line: FinePoints) -> None:
    parts = {*line.random(np.arange(10), 3).tolist(), *line.random(np.arange(10, 20), 3).tolist()}
    assert set(line.random(np.arange(20), 3).tolist()) < parts


def test_a_lower_turn_comes_first_whatever_the_distance() -> None:
    turn = np.zeros(10, int)
    turn[3:8] = 1
    points = FinePoints.of(np.arange(10.0)[:, None], np.arange(10) // 9, turn, 2, 0)
    assert points.central(np.arange(9), 5).tolist()[:4] == [2, 1, 8, 0] or set(
        points.central(np.arange(9), 4).tolist()
    ) == {0, 1, 2, 8}
    assert points.border([0], 2)[0].tolist() == [8, 2]
    assert set(points.random(np.arange(9), 4).tolist()) == {0, 1, 2, 8}
