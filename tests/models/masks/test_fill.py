"""Filled background: no pixel of it remains, tissue stays as it is, a mirror image of half a plane is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.models.masks.fill import fill_background


@st.composite
def patches(draw: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """A patch whose tissue has values below 100 and whose background is 255, its mask, and pixels along a cell."""
    cells, cell = (draw(st.integers(1, 6)), draw(st.integers(1, 6))), draw(st.sampled_from([1, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    tissue = rng.random(cells) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    full = tissue.repeat(cell, 0).repeat(cell, 1)
    return np.where(full, rng.integers(0, 100, (3, *full.shape)), 255).astype(np.uint8), tissue, cell


@settings(deadline=None)
@given(patches())
def test_background_shows_tissue_and_tissue_stays_as_it_is(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    patch, tissue, cell = drawn
    before, full = patch.copy(), tissue.repeat(cell, 0).repeat(cell, 1)
    filled = fill_background(patch, tissue)
    np.testing.assert_array_equal(patch, before)
    np.testing.assert_array_equal(filled[:, full], patch[:, full])
    assert filled.dtype == patch.dtype
    if tissue.any():
        assert (filled < 100).all()
    else:
        assert filled is patch


@pytest.mark.parametrize("axis", [1, 2])
def test_a_straight_edge_is_a_mirror(axis: int) -> None:
    patch = np.random.default_rng(0).integers(0, 99, (3, 8, 8), np.uint8)
    tissue = np.broadcast_to(np.arange(8) < 5, (8, 8))
    tissue = tissue if axis == 2 else tissue.T
    expected = np.take(patch, [0, 1, 2, 3, 4, 3, 2, 1], axis)
    np.testing.assert_array_equal(fill_background(patch, tissue), expected)
