"""Scaled: a volume's robust range becomes uint16, the same whatever box is read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tile_engine.stores.frame import Box
from tile_engine.stores.memory import MemorySource
from tile_engine.stores.scaled import RANGE_TOP, Scaled, ranges_of


def test_the_ends_of_the_range_are_the_ends_of_the_type_and_all_beyond_is_clipped() -> None:
    values = np.array([-900, -10, 0, 44, 100, 4000], np.int16).reshape(1, 1, 1, 6)
    found = Scaled(MemorySource(values, background=0), [(-10, 100)]).read(Box((0, 0, 0), (1, 1, 6)))
    assert found.dtype == np.uint16
    assert found.ravel().tolist() == [
        0,
        0,
        round(10 / 110 * RANGE_TOP),
        round(54 / 110 * RANGE_TOP),
        RANGE_TOP,
        RANGE_TOP,
    ]


@given(st.integers(0, 5), st.integers(1, 6), st.sampled_from(["int16", "float32", "uint8"]))
def test_a_part_is_a_part_of_the_whole(start: int, size: int, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (2, 12, 4, 5)).astype(dtype)
    source = Scaled(MemorySource(values, background=0), [(3.5, 180), (0, 90)])
    box = Box((start, 0, 1), (start + size, 4, 5))
    whole = source.read(source.frames[0].box)
    np.testing.assert_array_equal(source.read(box), whole[(slice(None), *box.slices)])


def test_ranges_are_percentiles_inside_and_never_empty() -> None:
    values = np.stack([np.linspace(0, 1000, 1001), np.full(1001, 7.0)])
    inside = np.arange(1001) >= 500
    (low, high), flat = ranges_of(values, inside)
    assert (low, high) == (502.5, 997.5) and flat == [7.0, 8.0]
    spot = np.zeros((1, 1000))
    spot[0, 3] = 5
    assert ranges_of(spot, np.ones(1000, bool)) == [[0.0, 5.0]]
