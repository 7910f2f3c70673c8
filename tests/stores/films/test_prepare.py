"""Preparation: a film keeps its aspect, its range and its brightness on the way to a square."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tile_engine.stores.films.prepare import prepared

Array = np.ndarray[Any, Any]
SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 90))
FILMS = SHAPES.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))


@given(values=FILMS, side=st.integers(1, 120))
@settings(max_examples=60, deadline=None)
def test_a_film_keeps_its_range_and_its_aspect(values: Array, side: int) -> None:
    square = prepared(values, side)
    assert square.shape == (side, side) and square.dtype == np.float32
    assert values.min() <= square.min() and square.max() <= values.max()
    inner = [max(1, round(n * side / max(values.shape))) for n in values.shape]
    assert max(inner) == side
    top, left = ((side - n) // 2 for n in inner)
    square[top : top + inner[0], left : left + inner[1]] = values.min()
    assert (square == values.min()).all()


@given(factor=st.integers(1, 6), side=st.integers(2, 30), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_shrinking_by_whole_numbers_is_the_mean_of_blocks(factor: int, side: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((side * factor, side * factor), np.float32)
    blocks = values.reshape(side, factor, side, factor).mean((1, 3))
    np.testing.assert_allclose(prepared(values, side), blocks, atol=2e-6)


def test_shrinking_by_any_ratio_keeps_the_mean_and_leaves_no_alias() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (640, 320))
    small = prepared(stripes, 100)
    assert small.mean() == pytest.approx(0.5, abs=1e-3) and np.abs(small - 0.5).max() < 0.1


def test_a_film_of_the_side_is_itself_and_a_wide_one_is_centred_on_its_minimum() -> None:
    film = np.random.default_rng(0).random((50, 50), np.float32)
    np.testing.assert_array_equal(prepared(film, 50), film)
    wide = np.full((20, 80), 0.7, np.float32)
    wide[3, 4] = 0.2
    square = prepared(wide, 80)
    np.testing.assert_array_equal(square[30:50], wide)
    assert (square[:30] == np.float32(0.2)).all() and (square[50:] == np.float32(0.2)).all()


def test_what_cannot_be_prepared_is_refused() -> None:
    for values, side in ((np.zeros((3, 3)), 0), (np.zeros((0, 3)), 5), (np.zeros((3, 3, 3)), 5)):
        with pytest.raises(ValueError, match="prepared to a side"):
            prepared(values, side)
