"""Colours moved from slide to slide: mean and spread become the target's, and glass stays."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.stains.density import pixels_of
from tile_engine.models.stains.reinhard import ColourStatistics, colour_statistics, from_lab, recolour, to_lab


def slide(seed: int, colour: tuple[int, int, int], spread: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    lights = draw.normal(0, spread, (20, 1, 16, 16)) + draw.normal(0, 4, (20, 3, 16, 16))
    return np.clip(np.array(colour)[None, :, None, None] + lights, 0, 200).astype(np.uint8)


def statistics(patches: np.ndarray) -> ColourStatistics:
    found = colour_statistics(pixels_of(patches))
    assert found is not None
    return found


def test_colours_come_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 3))
    assert from_lab(to_lab(pixels)) == pytest.approx(pixels)


def test_grey_has_hardly_any_colour() -> None:
    """The rows of the paper's matrix do not sum to the same, so that grey is not exactly on the axis of lightness."""
    assert np.abs(to_lab(np.full((1, 3), 128))[0, 1:]).max() < 0.02


def test_a_recoloured_slide_has_the_statistics_of_the_target() -> None:
    own, target = slide(0, (150, 90, 160), 12), slide(1, (120, 80, 110), 20)
    found = statistics(recolour(own, statistics(own), statistics(target)))
    assert found.mean == pytest.approx(statistics(target).mean, abs=0.01)
    assert found.spread == pytest.approx(statistics(target).spread, rel=0.15, abs=0.002)


def test_its_own_statistics_change_nothing() -> None:
    own = slide(0, (150, 90, 160), 12)
    assert np.array_equal(recolour(own, statistics(own), statistics(own)), own)


def test_glass_stays_as_it_is() -> None:
    patches = slide(0, (150, 90, 160), 12)
    patches[3] = 255
    found = recolour(patches, statistics(patches), statistics(slide(1, (90, 90, 110), 20)))
    assert (found[3] == 255).all() and found.dtype == np.uint8


def test_a_slide_of_one_colour_is_moved_and_not_stretched() -> None:
    flat = np.full((1, 3, 8, 8), 120, np.uint8)
    found = recolour(flat, statistics(flat), statistics(slide(1, (90, 90, 110), 20)))
    assert np.isfinite(found).all() and len(np.unique(found[0, 0])) == 1
    assert colour_statistics(np.full((9, 3), 255, np.uint8)) is None
