"""The slide at a run's spacing: any tiling of reads gives the pixels of the whole, and every pixel is a mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.errors import SlideError
from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.slides.view import at_spacing, read_masked


@settings(max_examples=120, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    channels=st.sampled_from([1, 2, 3, 4]),
    dtype=st.sampled_from(["uint8", "uint16"]),
    ratio=st.one_of(st.integers(1, 9).map(float), st.floats(1, 9)),
    cut=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 9),
)
def test_tiled_reads_are_the_whole_read(
    shape: tuple[int, int], channels: int, dtype: str, ratio: float, cut: tuple[int, int], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (channels, *shape), dtype, endpoint=True)
    view = at_spacing(MemorySource(pixels, spacing=0.25), 0.25 * ratio)
    frame = view.frames[0]
    whole = view.read(frame.box)
    assert whole.shape == (channels, *frame.shape) and whole.dtype == dtype
    for box in frame.box.cut(cut):
        np.testing.assert_array_equal(view.read(box), whole[(slice(None), *box.slices)])


@pytest.mark.parametrize("k", [2, 3, 4, 5, 16])
@pytest.mark.parametrize("shape", [(64, 80), (61, 83), (3, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_whole_factors_are_means_of_what_exists_rounded_half_up(k: int, shape: tuple[int, int], dtype: str) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (3, *shape), dtype, endpoint=True)
    view = at_spacing(MemorySource(pixels, spacing=0.25), 0.25 * k)
    frame = view.frames[0]
    assert frame.shape == (-(-shape[0] // k), -(-shape[1] // k)) and frame.spacing == (0.25 * k, 0.25 * k)
    read = view.read(frame.box)
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            block = pixels[:, y * k : y * k + k, x * k : x * k + k].astype(np.float64)
            mean = np.floor(block.mean(axis=(1, 2)) + 0.5)
            assert np.abs(read[:, y, x] - mean).max() <= (0 if k in (2, 4, 16) else 1)


@given(value=st.integers(0, 255), ratio=st.floats(1.06, 12), side=st.integers(1, 60))
def test_a_plain_field_stays_plain(value: int, ratio: float, side: int) -> None:
    view = at_spacing(MemorySource(np.full((1, side, side + 3), value, np.uint8), spacing=0.25), 0.25 * ratio)
    assert (view.read(view.frames[0].box) == value).all()


def test_a_fractional_factor_weighs_cells_by_the_share_inside() -> None:
    """By 2.5: |0 1 2/|\\2 3 4|: the middle cell counts half on both sides."""
    pixels = np.array([[[0, 10, 20, 30, 40]]], np.uint8)
    source = MemorySource(pixels, frames=(Frame(("y", "x"), (1, 5), (0.4, 0.4)),))
    view = at_spacing(source, 1.0)
    assert view.factor == (2.5, 2.5) and view.frames[0].shape == (1, 2)
    assert view.read(view.frames[0].box)[0, 0].tolist() == [8, 32]


def pyramid(*spacings: float) -> MemorySource:
    frames = tuple(Frame(("y", "x"), (int(64 / s), int(64 / s)), (s, s)) for s in spacings)
    return MemorySource(*(np.zeros((3, *f.shape), np.uint8) for f in frames), frames=frames)


@pytest.mark.parametrize(
    ("spacings", "wanted", "level", "factor", "got"),
    [
        ((0.25, 1.0), 1.04, 1, 1.0, 1.0),
        ((0.499,), 0.5, 0, 1.0, 0.499),
        ((0.25, 1.0), 0.5, 0, 2.0, 0.5),
        ((0.2456, 0.9824), 0.5, 0, 2.0, 0.4912),
        ((0.25, 1.0), 2.0, 1, 2.0, 2.0),
        ((0.25, 1.0), 0.6, 0, 2.4, 0.6),
    ],
)
def test_the_level_that_is_read(
    spacings: tuple[float, ...], wanted: float, level: int, factor: float, got: float
) -> None:
    view = at_spacing(pyramid(*spacings), wanted)
    assert view.level == level
    assert view.factor[0] == pytest.approx(factor)
    assert view.frames[0].spacing[0] == pytest.approx(got)


def test_a_slide_that_is_too_coarse_is_refused_with_advice() -> None:
    with pytest.raises(SlideError, match="--spacing 1") as failure:
        at_spacing(pyramid(1.0), 0.5)
    assert failure.value.code == "E_TOO_COARSE"


def test_only_the_pieces_that_fail_are_masked() -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (3, 100, 90), np.uint8)
    source = MemorySource(pixels, broken=(Box((40, 40), (42, 42)),))
    read, masked = read_masked(source, Box((5, 7), (100, 90)), 0, (16, 16))
    assert masked == [Box((32, 32), (48, 48))]
    expected = pixels[:, 5:, 7:].copy()
    expected[:, 27:43, 25:41] = 255
    np.testing.assert_array_equal(read, expected)


def test_a_good_read_masks_nothing() -> None:
    source = MemorySource(np.ones((3, 10, 10), np.uint8))
    assert read_masked(source, source.frames[0].box)[1] == []


def test_a_view_masks_in_its_own_pixels() -> None:
    source = MemorySource(np.zeros((3, 400, 400), np.uint8), spacing=0.25, broken=(Box((10, 10), (11, 11)),))
    view = at_spacing(source, 0.5)
    _, masked = read_masked(view, view.frames[0].box, 0, (50, 50))
    assert masked == [Box((0, 0), (50, 50))]
