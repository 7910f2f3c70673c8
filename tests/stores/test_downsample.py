"""Halving: every coarser cell is the mean of the finer cells that exist under it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.stores.downsample import halve, halve_anywhere, resize, resize_anywhere


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


def test_axes_whose_factor_is_one_stay() -> None:
    pixels = np.random.default_rng(0).integers(-900, 900, (1, 4, 5, 6)).astype(np.int16)
    found = halve(pixels, (1, 2, 2))
    assert found.shape == (1, 4, 3, 3)
    for z in range(4):
        np.testing.assert_array_equal(found[:, z], by_hand(pixels[:, z]))


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


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([2, 3]).flatmap(lambda n: st.tuples(st.integers(1, 3), *[st.integers(1, 9)] * n)),
    st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    st.integers(0, 99),
)
def test_without_opencv_halves_are_the_same_integers(shape: tuple[int, ...], dtype: str, seed: int) -> None:
    """What arrays on a GPU go through, here with numpy's."""
    span = (0, 256) if dtype == "uint8" else (0, 2**15)
    pixels = np.random.default_rng(seed).integers(*span, shape).astype(dtype)
    there, here = halve_anywhere(pixels), halve(pixels)
    assert there.dtype == here.dtype and there.shape == here.shape
    if dtype == "float32":
        np.testing.assert_allclose(there, here, rtol=1e-6)
    else:
        np.testing.assert_array_equal(there, here)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(8, 40)] * 2), st.tuples(*[st.integers(1, 8)] * 2), st.integers(0, 99))
def test_without_opencv_resizing_differs_by_the_rounding_of_a_half(
    shape: tuple[int, int], to: tuple[int, int], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (2, *shape), np.uint8)
    there, here = resize_anywhere(pixels, to).astype(int), resize(pixels, to).astype(int)
    exact = resize_anywhere(pixels.astype(np.float64), to)
    differ = there != here
    assert np.abs(there - here).max() <= 1
    assert np.abs(exact[differ] % 1 - 0.5).max(initial=0) < 1e-2


@pytest.mark.gpu
@given(st.tuples(st.integers(1, 3), st.integers(1, 33), st.integers(1, 33)), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_on_a_gpu_halves_are_the_same_integers(shape: tuple[int, ...], seed: int) -> None:
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("needs a CUDA device")
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(cupy.asnumpy(halve(cupy.asarray(pixels))), halve(pixels))
