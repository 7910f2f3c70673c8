"""Intervals of a slide's shares: they cover the truth although neighbouring tiles are alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import binomtest

from tile_engine.models.evaluation.composition import MIN_BLOCKS, block_counts, composition, design_effects

TRUTH = (0.5, 0.3, 0.2)
GRID = np.argwhere(np.ones((60, 60), bool))


def planted(length: float, draw: np.random.Generator) -> np.ndarray:
    """Labels of a slide of 60 x 60 tiles whose clusters 1, 2, 3 have the shares .5, .3, .2 over all slides."""
    field = ndimage.gaussian_filter(draw.normal(size=(90, 90)), length, mode="wrap")[:60, :60] if length else None
    field = draw.normal(size=(60, 60)) if field is None else field * (2 * np.sqrt(np.pi) * length)
    return 1 + np.digitize(field, (0.0, 0.8416)).ravel()


@pytest.mark.parametrize("length", [0, 1, 2])
def test_intervals_cover_the_truth(length: int) -> None:
    draw = np.random.default_rng(3)
    found = [composition(planted(length, draw), GRID, clusters=3) for _ in range(60)]
    covered = np.mean([(c.low <= TRUTH) & (c.high >= TRUTH) for c in found])
    assert covered >= 0.9


def test_tiles_that_are_alike_count_for_less() -> None:
    draw = np.random.default_rng(0)
    alone, alike = (composition(planted(length, draw), GRID, clusters=3) for length in (0, 2))
    assert (alike.effective < alone.effective / 4).all() and (alike.high - alike.low > alone.high - alone.low).all()


def test_without_a_design_effect_the_interval_is_clopper_pearson() -> None:
    """A chessboard: every block has the same mixture, and no block adds to the variance."""
    labels = 1 + GRID.sum(1) % 2
    found = composition(labels, GRID, clusters=2)
    exact = binomtest(1800, 3600).proportion_ci(method="exact")
    assert (found.low[0], found.high[0]) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_a_design_effect_by_hand() -> None:
    """Ten blocks of four tiles, each of one cluster, five of either: a block counts as one tile, but for few blocks."""
    positions = np.array([[y, x] for y in range(2) for x in range(20)])
    labels = 1 + positions[:, 1] // 2 % 2
    surcharge = (2.262157 / 1.959964) ** 2  # t with 9 degrees of freedom over the normal quantile
    assert design_effects(labels, positions, clusters=2) == pytest.approx(4 * 10 / 9 * surcharge, rel=1e-5)


def test_a_cluster_that_the_slide_lacks_has_an_upper_end() -> None:
    found = composition(planted(2, np.random.default_rng(0)), GRID, clusters=4)
    assert found.shares[3] == found.low[3] == 0 and 0 < found.high[3] < 0.2
    alone = composition(np.ones(3600, int), GRID, clusters=1)
    assert alone.shares.tolist() == alone.high.tolist() == [1.0] and alone.low[0] > 0.99


def test_small_slides_have_shares_and_no_intervals() -> None:
    found = composition(np.array([1, 1, 2]), np.array([[0, 0], [0, 1], [0, 2]]), clusters=2)
    assert found.shares.tolist() == pytest.approx([2 / 3, 1 / 3]) and np.isnan(found.low).all()
    assert f"fewer than {MIN_BLOCKS} blocks" in found.reason
    assert composition(np.zeros(0, int), np.zeros((0, 2), int), clusters=2).reason == "the slide has no tiles"


def test_where_the_grid_begins_does_not_matter() -> None:
    labels = planted(1, np.random.default_rng(5))
    assert np.array_equal(
        composition(labels, GRID, clusters=3).low, composition(labels, GRID + np.array([70, 3]), clusters=3).low
    )
    cubes = np.argwhere(np.ones((4, 4, 4), bool))
    assert block_counts(np.ones(64, int), cubes, side=2, clusters=1).tolist() == [[8]] * 8
