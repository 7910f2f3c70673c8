"""A packed mask says the same as the mask it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from tile_engine.engine.tiling.mask import Mask
from tile_engine.engine.tiling.packed_mask import PackedMask


@pytest.mark.parametrize(("shape", "ratio"), [((7, 13), (4.0, 3.7)), ((5, 6, 9), (2.0, 2.0, 4.0))])
def test_cells_and_their_numbers_are_those_of_the_mask(shape: tuple[int, ...], ratio: tuple[float, ...]) -> None:
    draw = np.random.default_rng(0)
    mask = Mask(draw.random(shape) < 0.3, ratio, [int(n * r) for n, r in zip(shape, ratio, strict=True)])
    packed = PackedMask(mask)
    positions = np.argwhere(mask.values)
    assert len(packed) == len(positions)
    np.testing.assert_array_equal([packed.cell(number) for number in range(len(packed))], positions)
    for _ in range(20):
        start = np.array([int(draw.integers(-5, n * r)) for n, r in zip(shape, ratio, strict=True)])
        np.testing.assert_array_equal(
            packed.cells(start, (11,) * len(shape)), mask.cells(start, (11,) * len(shape)), strict=True
        )


def test_it_is_small_and_knows_its_last_cell() -> None:
    packed = PackedMask(Mask(np.ones((1000, 1600), bool), (16, 16), (16000, 25600)))
    assert packed.nbytes == 1000 * 200 + 1000 * 8
    assert packed.cell(len(packed) - 1).tolist() == [999, 1599]
    with pytest.raises(IndexError, match="covers 1600000 cells"):
        packed.cell(len(packed))
