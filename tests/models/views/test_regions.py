"""RegionViews: the same seed gives the same regions; masking and keeping are complements; cuts are full."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.models.views.regions import RegionViews, ball_of, box_of, cut_regions, random_region


@pytest.mark.parametrize("shape", [(20, 24), (14, 18, 16)])
def test_a_seed_gives_the_same_views(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).random((6, 2, *shape)).astype(np.float32) + 0.1
    one, two = (RegionViews()(images, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two) and not np.array_equal(one, RegionViews()(images, np.random.default_rng(4)))
    assert one.dtype == images.dtype and (images > 0).all()


@pytest.mark.parametrize("shape", [(20, 24), (14, 18, 16)])
def test_what_is_masked_is_what_is_kept(shape: tuple[int, ...]) -> None:
    images = np.ones((1, 1, *shape), np.float32)
    masked = RegionViews(mask=1, keep=0)(images, np.random.default_rng(5))
    kept = RegionViews(mask=0, keep=1)(images, np.random.default_rng(5))
    assert np.array_equal(masked + kept, images) and 0 < masked.mean() < 1


def test_regions_have_the_sides_that_are_asked_for() -> None:
    source = np.random.default_rng(0)
    for _ in range(40):
        region = random_region((40, 50, 60), source, 0.3, 0.7)
        for axis, side in enumerate(region.shape):
            across = np.flatnonzero(region.any(tuple(a for a in range(3) if a != axis)))
            assert 0.3 * side - 2 <= across[-1] - across[0] + 1 <= 0.7 * side + 1


def test_a_ball_fills_its_share_of_a_box() -> None:
    middle, sides = np.full(3, 32.0), np.full(3, 48.0)
    ball, box = ball_of((64,) * 3, middle, sides), box_of((64,) * 3, middle, sides)
    assert box.sum() == 48**3 and abs(ball.sum() / box.sum() - np.pi / 6) < 0.01 and not (ball & ~box).any()


def test_nothing_is_changed_where_nothing_is_asked_for() -> None:
    images = np.random.default_rng(0).random((3, 1, 9, 9))
    views = RegionViews(mask=0, keep=0, mirror=False)
    assert np.array_equal(views(images, np.random.default_rng(0)), images)


def test_cuts_come_from_the_inside() -> None:
    images = np.zeros((4, 1, 32, 32), np.float32)
    images[:, :, 4:28, 4:28] = 1 + np.arange(24)
    cuts = cut_regions(images, (8, 8), np.random.default_rng(0))
    assert cuts.shape == (4, 1, 8, 8) and ((cuts != 0).mean((1, 2, 3)) >= 0.5).all()


def test_shares_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        RegionViews(mask=0.7, keep=0.7)
