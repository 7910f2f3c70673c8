"""Tiles and samplers: grids partition, masks answer exactly, random places keep their rule and their seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.samplers import grid, scatter, within
from tile_engine.engine.tiling.tile import Tile, Tiles
from tile_engine.stores.frame import Box, Frame


@st.composite
def boxes(draw: Any, axes: int, low: int = 0, high: int = 20) -> Box:
    start = [draw(st.integers(low, high)) for _ in range(axes)]
    return Box(tuple(start), tuple(a + draw(st.integers(0, 12)) for a in start))


@settings(deadline=None)
@given(
    st.sampled_from([2, 3]).flatmap(
        lambda n: st.tuples(boxes(n), st.tuples(*[st.integers(1, 6)] * n), st.tuples(*[st.integers(0, 4)] * n))
    )
)
def test_the_writes_of_a_grid_partition_its_box(drawn: tuple[Box, tuple[int, ...], tuple[int, ...]]) -> None:
    box, shape, halo = drawn
    count = np.zeros(box.stop, int)
    for tile in grid(box, shape, halo):
        count[tile.write.slices] += 1
        assert tile.read.shape == tuple(s + 2 * h for s, h in zip(shape, halo, strict=True))
        assert all((a + h) % s == 0 for a, h, s in zip(tile.read.start, halo, shape, strict=True))
    assert (count[box.slices] == 1).all() and count.sum() == box.size


def test_a_tile_that_writes_beyond_what_it_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="writes inside what it reads"):
        Tile(Box((0,), (4,)), Box((2,), (5,)))


def test_tiles_as_objects_and_as_arrays_are_the_same_tiles() -> None:
    box = Box((3, 5), (17, 20))
    tiles = grid(box, (4, 6), (1, 2))
    again = Tiles.of(iter(tiles))
    assert list(again) == list(tiles) and len(again) == len(tiles) == 20
    assert list(tiles[3:5]) == list(tiles)[3:5]
    assert list(tiles[:2].join(tiles[2:])) == list(tiles)
    assert len(Tiles.of(iter(()))) == 0


def test_tiles_of_one_unit_that_read_different_shapes_are_refused_with_both() -> None:
    mixed = [Tile(Box((0,), (4,)), Box((0,), (4,))), Tile(Box((4,), (6,)), Box((4,), (6,)))]
    with pytest.raises(ValueError, match=r"\(2,\).*\(4,\)"):
        Tiles.of(mixed)


@st.composite
def masks(draw: Any) -> tuple[np.ndarray, tuple[int, ...], Mask]:
    """The mask, enlarged to the image's own cells, its ratio, and the same as a Mask."""
    axes = draw(st.sampled_from([2, 3]))
    cells = tuple(draw(st.integers(1, 5)) for _ in range(axes))
    ratio = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    shape = tuple(n * r - draw(st.integers(0, r - 1)) for n, r in zip(cells, ratio, strict=True))
    values = np.random.default_rng(draw(st.integers(0, 999))).random(cells) < draw(
        st.sampled_from([0.0, 0.3, 0.7, 1.0])
    )
    full = values
    for axis, r in enumerate(ratio):
        full = np.repeat(full, r, axis)
    return full[tuple(slice(0, n) for n in shape)], ratio, Mask(values, ratio, shape)


@settings(deadline=None, max_examples=200)
@given(masks(), st.data())
def test_the_share_of_a_mask_is_what_counting_cells_gives(drawn: Any, data: Any) -> None:
    full, _, mask = drawn
    asked = data.draw(st.lists(boxes(full.ndim, -6, 15), min_size=1, max_size=5))
    for box, share in zip(asked, mask.share(asked), strict=True):
        part = box & Box((0,) * full.ndim, full.shape)
        expected = full[part.slices].mean() if part.size else 0.0
        assert share == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(masks(), st.data(), st.sampled_from([0.01, 0.5, 1.0]))
def test_within_keeps_just_the_tiles_of_which_enough_is_covered(drawn: Any, data: Any, share: float) -> None:
    full, _, mask = drawn
    image = Box((0,) * full.ndim, full.shape)
    tiles = list(grid(image, data.draw(st.tuples(*[st.integers(1, 5)] * full.ndim)), (1,) * full.ndim))
    kept = set(within(tiles, mask, share))
    for tile in tiles:
        covered = full[(tile.read & image).slices].mean()
        assert (tile in kept) == (covered >= share - 1e-9)


@settings(deadline=None, max_examples=100)
@given(masks(), st.data(), st.integers(1, 40), st.integers(0, 99))
def test_scattered_places_lie_inside_the_image_and_at_least_half_in_the_mask(
    drawn: Any, data: Any, count: int, seed: int
) -> None:
    full, _, mask = drawn
    shape = data.draw(st.tuples(*[st.integers(1, 8)] * full.ndim))
    frame = Frame(("z", "y", "x")[-full.ndim :], full.shape, (1.0,) * full.ndim)
    starts, again, other = (
        scatter(mask, frame, shape, counts={0.5: count}, generator=np.random.default_rng(s))
        for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(starts, again)
    assert starts.dtype == np.int64 and starts.shape[1] == full.ndim and len(starts) <= count
    if full.all():
        assert len(starts) == len(other) == count
    for start in starts:
        box = Box(tuple(start.tolist()), tuple((start + shape).tolist()))
        assert all(a == 0 or b <= n for a, b, n in zip(box.start, box.stop, full.shape, strict=True))
        assert full[(box & frame.box).slices].mean() >= 0.5 - 1e-9


def test_another_seed_scatters_elsewhere() -> None:
    frame = Frame(("y", "x"), (400, 300), (1.0, 1.0))
    mask = Mask(np.ones((40, 30), bool), (10, 10), frame.shape)
    first, second = (
        scatter(mask, frame, (32, 32), counts={0.5: 50}, generator=np.random.default_rng(s)) for s in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_an_empty_mask_gives_no_places() -> None:
    frame = Frame(("y", "x"), (40, 30), (1.0, 1.0))
    mask = Mask(np.zeros((4, 3), bool), (10, 10), frame.shape)
    assert scatter(mask, frame, (8, 8), counts={0.5: 5}, generator=np.random.default_rng(0)).shape == (0, 2)


@settings(deadline=None, max_examples=50)
@given(masks(), st.integers(0, 99))
def test_kinds_of_tiles_fill_up_for_each_other(drawn: Any, seed: int) -> None:
    """As many tiles are found as without kinds, unless luck was bad; all are covered to the least share."""
    full, _, mask = drawn
    frame = Frame(("z", "y", "x")[-full.ndim :], full.shape, (1.0,) * full.ndim)
    draw = np.random.default_rng(seed)
    starts = scatter(mask, frame, (2,) * full.ndim, counts={0.9: 16, 0.5: 4}, generator=draw)
    covered = mask.share_of(starts.astype(float), starts + 2.0)
    assert len(starts) <= 20 and (covered >= 0.5 - 1e-9).all()
    if full.all():
        assert len(starts) == 20 and (covered >= 0.9).all()


def test_whole_and_partial_tiles_come_in_the_stated_mix() -> None:
    disk = np.hypot(*np.indices((64, 64)) - 31.5) < 24
    mask, frame = Mask(disk, (8, 8), (512, 512)), Frame(("y", "x"), (512, 512), (1.0, 1.0))
    starts = scatter(mask, frame, (64, 64), counts={0.9: 80, 0.5: 20}, generator=np.random.default_rng(0))
    covered = mask.share_of(starts.astype(float), starts + 64.0)
    assert (covered[:80] >= 0.9).all() and ((covered[80:] >= 0.5) & (covered[80:] < 0.9)).all() and len(covered) == 100


@settings(deadline=None, max_examples=100)
@given(masks(), st.data())
def test_the_cells_of_a_box_are_the_masks_and_false_outside_the_image(drawn: Any, data: Any) -> None:
    full, _, mask = drawn
    box = data.draw(boxes(full.ndim, -6, 15))
    expected = np.zeros(box.shape, bool)
    part = box & Box((0,) * full.ndim, full.shape)
    if part.size:
        expected[part.shift([-a for a in box.start]).slices] = full[part.slices]
    np.testing.assert_array_equal(mask.cells(np.array(box.start), box.shape), expected)
    if box.size:
        starts, stops = np.array([box.start]), np.array([box.stop])
        assert mask.whole(starts, stops)[0] == bool(expected.all())
