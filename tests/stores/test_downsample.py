"""Halving: every coarser cell is the mean of the finer cells that exist under it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.stores.downsample import halve, resize


def by_hand(pixels: np.ndarray) -> np.ndarray:
    shape = tuple(-(-n // 2) for n in pixels.shape[1:])
    out = np.empty((len(pixels), *shape))
    for index in np.ndindex(shape):
        cells = pixels[(slice(None), *(slice(2 * i, 2 * i + 2) for i in index))].astype(float)
        out[(slice(None), *index)] = cells.reshape(len(pixels), -1).mean(1)
    return np.floor(out + 0.5) if pixels.dtype.kind in "iu" else out


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([2, 3]).flatmap(lambda n: st.tuples(st.integers(1, 3), *[st.integers(1, 9)] * n)),
    st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    st.integers(0, 99),
)
def test_every_cell_is_the_mean_of_those_under_it_rounded_half_up(
    shape: tuple[int, ...], dtype: str, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
    found = halve(pixels)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, by_hand(pixels), rtol=1e-6)


def test_halving_does_not_touch_what_it_halves() -> None:
    pixels = np.arange(3 * 5 * 5, dtype=np.uint8).reshape(3, 5, 5)
    before = pixels.copy()
    halve(pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_resizing_by_a_whole_factor_is_the_mean_of_each_block(factor: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6 * factor, 5 * factor), np.uint8)
    blocks = pixels.reshape(3, 6, factor, 5, factor).mean((2, 4))
    assert np.abs(resize(pixels, (6, 5)) - blocks).max() <= 0.5 + 1e-6
    assert resize(pixels, pixels.shape[1:]) is pixels
