"""Slides that are stained alike: whatever tissue they hold, one stain is one group, and two stains are two."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.stains import alike
from tile_engine.models.stains.alike import central_slide, stain_distance, stain_groups
from tile_engine.models.stains.density import transmitted, white_point
from tile_engine.models.stains.profile import StainProfile, hue_distance, stain_profile, vector_distance

HE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
DAB = np.array([[0.65, 0.70, 0.29], [0.27, 0.57, 0.78]])


def slide(vectors: np.ndarray, seed: int, share: float = 0.5) -> StainProfile:
    """A slide whose tissue holds the first stain on `share` of its pixels, a third of that with both; the rest the second."""
    draw = np.random.default_rng(seed)
    amounts = draw.gamma(2.0, 0.4, (8000, 2))
    first = draw.random(8000) < share
    amounts[first, 1] *= draw.random(first.sum()) < 0.3
    amounts[~first, 0] *= 0.1
    found = stain_profile(transmitted(amounts @ vectors))
    assert found is not None
    return found


def test_stains_are_told_apart_and_tissues_are_not() -> None:
    few, many = slide(HE, 0, 0.4), slide(HE, 1, 0.6)
    brown = slide(DAB, 2)
    assert stain_distance(few, many) < 1 < stain_distance(few, brown)
    assert vector_distance(few, many) < vector_distance(few, brown)
    assert hue_distance(few, few) == 0 and hue_distance(few, brown) == hue_distance(brown, few)


def test_slides_fall_into_groups_in_their_order() -> None:
    found = stain_groups([slide(DAB, 0), slide(HE, 1), None, slide(HE, 2, 0.6), slide(DAB, 3, 0.6)])
    assert found.group.tolist() == [0, 1, -1, 1, 0] and found.count == 2
    assert np.isnan(found.distances[2]).all() and np.array_equal(found.distances, found.distances.T, equal_nan=True)


def test_a_slide_is_compared_with_all_further_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = [slide(DAB, 0), slide(HE, 1), None, slide(HE, 2, 0.6), slide(DAB, 3, 0.6)]
    known = [i for i, profile in enumerate(profiles) if profile]
    compared: list[int] = []
    at_once = alike.vector_distances
    monkeypatch.setattr(alike, "vector_distances", lambda a, b: [compared.append(len(b)), at_once(a, b)][1])
    found = stain_groups(profiles)
    assert compared == [3, 2, 1, 0]
    assert all(found.distances[i, j] == stain_distance(profiles[i], profiles[j]) for i in known for j in known)


def test_the_central_slide_is_of_the_largest_group() -> None:
    found = stain_groups([slide(DAB, 0), slide(HE, 1, 0.3), slide(HE, 2, 0.5), slide(HE, 3, 0.7)])
    assert central_slide(found) == 2


@pytest.mark.parametrize("profiles", [[], [None]])
def test_without_profiles_there_are_no_groups(profiles: list[StainProfile | None]) -> None:
    found = stain_groups(profiles)
    assert found.count == 0 and central_slide(found) is None
    assert stain_groups([slide(HE, 0)]).group.tolist() == [0]


def test_the_white_point_is_that_of_glass() -> None:
    pixels = np.concatenate([np.full((900, 3), 120), np.tile([240, 238, 244], (100, 1))])
    assert white_point(pixels).tolist() == [240, 238, 244]
    assert white_point(np.full((50, 3), 120)).tolist() == [200] * 3
