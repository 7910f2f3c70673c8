"""Samples: shares of slides and groups are even as far as there is room; patches are the pixels of their places."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.engine.steps.sample.balance import balance
from tile_engine.engine.steps.sample.read import read_patches
from tile_engine.stores.frame import Box
from tile_engine.stores.memory import MemorySource

slides = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc")), max_size=9)


def even(parts: list[int], room: list[int]) -> bool:
    """Whoever has room left has no less than anybody else, up to one."""
    return all(parts[i] >= max(parts) - 1 for i in range(len(parts)) if parts[i] < room[i])


@settings(deadline=None)
@given(slides, st.integers(0, 400))
def test_all_is_shared_out_as_far_as_there_is_room_and_nobody_gets_more_than_fits(
    slides: list[tuple[int, str]], total: int
) -> None:
    room, groups = [r for r, _ in slides], [g for _, g in slides]
    parts = balance(room, groups, total)
    assert sum(parts) == min(total, sum(room))
    assert all(0 <= p <= r for p, r in zip(parts, room, strict=True))


@given(slides, st.integers(0, 400))
def test_groups_share_evenly_and_so_do_the_slides_of_a_group(slides: list[tuple[int, str]], total: int) -> None:
    room, groups = [r for r, _ in slides], [g for _, g in slides]
    parts = balance(room, groups, total)
    members = {g: [i for i, other in enumerate(groups) if other == g] for g in groups}
    assert even(
        [sum(parts[i] for i in m) for m in members.values()], [sum(room[i] for i in m) for m in members.values()]
    )
    for m in members.values():
        assert even([parts[i] for i in m], [room[i] for i in m])


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.tuples(st.integers(-20, 95), st.integers(-20, 95)), min_size=1, max_size=20),
    st.integers(1, 24),
)
def test_patches_read_by_block_are_those_of_the_padded_image(
    shape: tuple[int, int], places: list[tuple[int, int]], side: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    padded = np.pad(pixels, ((0, 0), (40, 160), (40, 160)), constant_values=255)
    found = read_patches(MemorySource(pixels), np.array(places), side, cell=16, block=32)
    for (y, x), patch in zip(places, found, strict=True):
        np.testing.assert_array_equal(patch, padded[:, y + 40 : y + 40 + side, x + 40 : x + 40 + side])


def test_only_cells_that_some_patch_touches_are_read() -> None:
    class Counting(MemorySource):
        read_pixels = 0

        def read(self, box: Box, level: int = 0) -> np.ndarray:
            self.read_pixels += box.size
            return super().read(box, level)

    source = Counting(np.zeros((1, 1024, 1024), np.uint8))
    read_patches(source, np.array([[0, 0], [900, 900], [10, 10]]), 32, cell=64, block=1024)
    assert source.read_pixels == 2 * 64 * 64
