"""Glass inside a coarse mask is found from its edge; pale tissue further inside is not."""

from __future__ import annotations

import numpy as np

from tile_engine.models.masks.glass import MARGIN_CELLS, without_glass

GLASS = np.array([240.0, 241.0, 238.0])
CELL = 4


def planted(stained: np.ndarray) -> np.ndarray:
    """Pixels uint8 (3, y, x): glass with a little noise, and brown where `stained` (one value a cell of 4 x 4)."""
    full = stained.repeat(CELL, 0).repeat(CELL, 1)
    noise = np.random.default_rng(0).normal(0, 3, (3, *full.shape))
    colour = np.where(full, np.array([160, 120, 90])[:, None, None], GLASS[:, None, None])
    return np.asarray(colour + noise).clip(0, 255).astype(np.uint8)


def found_in(tissue: np.ndarray, pixels: np.ndarray, reach: int) -> np.ndarray:
    """`without_glass` of one patch, of two others beside it, which change nothing."""
    other = planted(columns(range(5)))
    return without_glass(np.stack([~tissue, tissue, ~tissue]), np.stack([other, pixels, other]), GLASS, reach)[1]


def columns(*ranges: range, count: int = 16) -> np.ndarray:
    """Cells (8, count) that are True in some columns."""
    return np.broadcast_to(np.isin(np.arange(count), [c for r in ranges for c in r]), (8, count))


def test_glass_beside_the_mask_is_no_tissue_and_takes_a_margin_with_it() -> None:
    found = found_in(columns(range(12)), planted(columns(range(8))), 10)
    np.testing.assert_array_equal(found, columns(range(8 - MARGIN_CELLS)))


def test_glass_that_no_glass_joins_with_the_outside_is_kept() -> None:
    pale = planted(columns(range(3), range(6, 12)))  # a gap in columns 3, 4 and 5
    found = found_in(columns(range(12)), pale, 10)
    np.testing.assert_array_equal(found, columns(range(12 - MARGIN_CELLS)))


def test_glass_is_not_looked_for_beyond_its_reach() -> None:
    found = found_in(columns(range(12)), planted(columns(range(2))), 4)
    np.testing.assert_array_equal(found, columns(range(12 - 4 - MARGIN_CELLS)))


def test_darker_background_than_glass_is_left_to_the_mask() -> None:
    found = found_in(columns(range(12)), planted(columns(range(8))) // 2, 10)
    np.testing.assert_array_equal(found, columns(range(12 - MARGIN_CELLS)))


def test_a_mask_without_outside_and_one_without_tissue_stay_as_they_are() -> None:
    empty = planted(columns())
    for tissue in (columns(range(16)), columns(range(2))):
        np.testing.assert_array_equal(found_in(tissue, empty, 10), tissue)
